"""The other process of `isolated_process`: it runs one task after another, until the service is gone.

Requests come on stdin, answers go to what was stdout, both pickled. Libraries that print cannot disturb the answers:
stdout leads nowhere.
"""

from __future__ import annotations

import os
import pickle
import queue
import sys
import threading
from typing import Any

from rma_mamba.environment import complete_environment
from rma_mamba.errors import RmaMambaError, is_disk_full, is_out_of_memory
from rma_mamba.pipeline.exit_codes import ExitCode, error_message
from rma_mamba.pipeline.isolated_process import DiskFullError, Progress, TaskCancelledError
from rma_mamba.process import release_memory, tune_process


def main() -> None:
    """Serve requests until stdin is closed."""
    answers = _Answers()
    complete_environment()
    tune_process()
    requests = _Requests()
    while True:
        number, request = requests.waiting.get()

        def progress(*report: Any, number: int = number) -> None:
            if number in requests.cancelled:
                raise TaskCancelledError
            answers.send(pickle.dumps(("progress", report)))

        answers.send(_outcome(request, progress))
        if requests.waiting.empty():
            release_memory()


class _Requests:
    """Requests by number, and the numbers of those that were cancelled."""

    def __init__(self) -> None:
        self.waiting: queue.Queue[tuple[int, bytes]] = queue.Queue()
        self.cancelled: set[int] = set()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        """Queue requests; end at once, even in the middle of a task, when the service is gone."""
        try:
            while True:
                number, request = pickle.load(sys.stdin.buffer)
                if request is None:
                    self.cancelled.add(number)
                else:
                    self.waiting.put((number, request))
        finally:
            os._exit(ExitCode.OK)


class _Answers:
    """The former stdout."""

    def __init__(self) -> None:
        self._channel = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
        self._mutex = threading.Lock()  # threads of the segmentation may report too
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)

    def send(self, answer: bytes) -> None:
        """Send an answer."""
        with self._mutex:
            self._channel.write(answer)
            self._channel.flush()


def _outcome(request: bytes, progress: Progress) -> bytes:
    """How a task ended, pickled; errors without what might not be picklable, or contain a path or a name."""
    kind, content = "error", Exception()
    try:
        task, arguments = pickle.loads(request)
        return pickle.dumps(("result", task(*arguments, progress)))
    except TaskCancelledError:
        content = TaskCancelledError()
    except RmaMambaError as error:
        content = (DiskFullError if is_disk_full(error) else type(error))(str(error))
    except Exception as error:
        kind = "out of memory" if is_out_of_memory(error) else kind
        content = RmaMambaError(error_message(error))
    return pickle.dumps((kind, content))
