"""A worker process: it carries out one task after another for the server, until the server is gone.

Each line on stdin is a request, each line on the former stdout an answer, both JSON. Libraries that print cannot
disturb the answers: stdout leads nowhere.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from typing import Any, BinaryIO

from rma_mamba.environment import complete_environment
from rma_mamba.errors import RmaMambaError
from rma_mamba.pipeline.exit_codes import ExitCode, error_message
from rma_mamba.process import release_memory, tune_process
from rma_mamba.server.worker_reports import Cancelled, Reporter
from rma_mamba.server.worker_tasks import TASKS


def main() -> None:
    """Serve requests until stdin is closed."""
    answers = _answer_channel()
    complete_environment()
    tune_process()
    requests: queue.Queue[dict[str, Any]] = queue.Queue()
    cancelled = threading.Event()
    threading.Thread(target=_read_requests, args=(requests, cancelled), daemon=True).start()
    while True:
        request = requests.get()
        cancelled.clear()
        _send(answers, _answer(request, Reporter(lambda event: _send(answers, event), cancelled)))
        if requests.empty():
            release_memory()


def _answer(request: dict[str, Any], report: Reporter) -> dict[str, Any]:
    try:
        return {"done": TASKS[request["task"]](report, **request["arguments"])}
    except Cancelled:
        return {"cancelled": True}
    except Exception as error:
        kind = type(error).__name__ if isinstance(error, RmaMambaError) else "Exception"
        return {"failed": {"kind": kind, "message": error_message(error)}}


def _read_requests(requests: queue.Queue[dict[str, Any]], cancelled: threading.Event) -> None:
    """Queue requests; end at once, even in the middle of a task, when the server is gone."""
    for line in sys.stdin.buffer:
        message = json.loads(line)
        if "cancel" in message:
            cancelled.set()
        else:
            requests.put(message)
    os._exit(ExitCode.OK)


def _answer_channel() -> BinaryIO:
    channel = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
    return channel


def _send(channel: BinaryIO, message: dict[str, Any]) -> None:
    remaining = memoryview(json.dumps(message).encode() + b"\n")
    while remaining:
        remaining = remaining[channel.write(remaining) :]


if __name__ == "__main__":
    main()
