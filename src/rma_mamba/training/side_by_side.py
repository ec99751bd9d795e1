"""Several training runs at the same time, each in a process of its own with its share of the GPUs and cores."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from rma_mamba.errors import RmaMambaError, ScanError

Running = dict[int, tuple["Command", subprocess.Popen[bytes]]]  # by slot

_POLL_S = 0.1
_GRACE_S = 30.0  # for a checkpoint that is being written


@dataclass(frozen=True)
class Command:
    """A training run to start.

    Args:
        name: Name in messages: "fold 0".
        words: The command line.
        log: File that receives the output of the process.
    """

    name: str
    words: Sequence[str]
    log: Path


def run_side_by_side(
    commands: Sequence[Command], jobs: int, note: Callable[[str], None] = lambda message: None
) -> None:
    """Run all commands, up to `jobs` of them at the same time.

    The others are run even if one fails. If this process is interrupted, all are ended.

    Raises:
        ScanError: A log cannot be written.
        RmaMambaError: A command failed.
    """
    waiting, failed = list(commands), list[str]()
    running: Running = {}
    with _exit_on_signals():
        try:
            while waiting or running:
                for slot in range(jobs):
                    if slot not in running and waiting:
                        command = waiting.pop(0)
                        note(f"{command.name}: training (messages in {command.log.name})")
                        running[slot] = command, _start(command, slot, jobs)
                failed += _reap(running, note)
                time.sleep(_POLL_S)
        finally:
            _end([process for _, process in running.values()])
    if failed:
        raise RmaMambaError(
            f"{len(failed)} of {len(commands)} training runs failed ({'; '.join(failed)}); expected all to end "
            "normally. Correct the cause and continue with --resume."
        )


def slot_environment(slot: int, jobs: int) -> dict[str, str]:
    """Environment variables of the process in one of `jobs` slots: one GPU each, in turn, and a share of the cores.

    CUDA_VISIBLE_DEVICES limits the GPUs; a number of threads that is already set is kept.
    """
    import torch  # not needed to load recipes

    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    gpus = visible.split(",") if visible else list(map(str, range(torch.cuda.device_count())))
    environment = {"CUDA_VISIBLE_DEVICES": gpus[slot % len(gpus)].strip()} if gpus else {}
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"OMP_NUM_THREADS": str(max(1, (cores or 1) // jobs)), **os.environ, **environment}


def _start(command: Command, slot: int, jobs: int) -> subprocess.Popen[bytes]:
    try:
        command.log.parent.mkdir(parents=True, exist_ok=True)
        with command.log.open("wb") as log:
            return subprocess.Popen(
                command.words,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=slot_environment(slot, jobs),
            )
    except OSError as error:
        raise ScanError(
            f"the log {command.log.name} cannot be written ({os.strerror(error.errno or 0)}); expected a writable "
            "folder. Choose another folder with --set run.folder=FOLDER."
        ) from None


def _reap(running: Running, note: Callable[[str], None]) -> list[str]:
    """Remove the commands that have ended; return a description of each that failed."""
    failed = []
    for slot, (command, process) in list(running.items()):
        if process.poll() is not None:
            del running[slot]
            note(f"{command.name}: {'failed' if process.returncode else 'complete'}")
            failed += [_failure(command, process.returncode)] if process.returncode else []
    return failed


@contextmanager
def _exit_on_signals() -> Iterator[None]:
    """Let SIGINT and SIGTERM raise SystemExit with 128 + signal number, as shells expect; children are then ended."""

    def leave(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, leave) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _failure(command: Command, code: int) -> str:
    """Name, exit code and last message of a command that failed."""
    lines = command.log.read_text("utf-8", errors="replace").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "no message")
    return (
        f"{command.name}: exit code {code}, {last.removeprefix('rma-mamba: error: ').rstrip('.')}"
    )


def _end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
