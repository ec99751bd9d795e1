"""A worker that crashes, hangs or is cancelled ends its task, and nothing else."""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from rma_mamba.errors import ConfigError, RmaMambaError, ScanError
from rma_mamba.server import worker as worker_module
from rma_mamba.server.worker import TaskCancelledError, Worker


def with_worker(check: Callable[[Worker], Awaitable[Any]]) -> Any:
    """Run a check with a worker, which is ended afterwards."""

    async def run() -> Any:
        worker = Worker()
        try:
            return await check(worker)
        finally:
            await worker.stop()
            assert worker.pid is None

    return asyncio.run(run())


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_crash_ends_the_task_and_the_next_one_has_a_new_process(tmp_path: Path) -> None:
    async def check(worker: Worker) -> None:
        processes = set()
        for number, found in (
            (signal.SIGSEGV, "ended unexpectedly"),
            (signal.SIGKILL, "memory ran out"),
        ):
            assert await worker.run("list_results", results=[], scans=None) == []
            processes.add(worker.pid)
            os.kill(worker.pid, signal.SIGSTOP)  # so that the task cannot end before
            task = asyncio.create_task(worker.run("list_cases", path=str(tmp_path)))
            await asyncio.sleep(0.05)
            os.kill(worker.pid, number)
            os.kill(worker.pid, signal.SIGCONT)
            with pytest.raises(ScanError, match=found):
                await task
        assert len(processes) == 2

    with_worker(check)


def test_an_error_of_the_task_has_its_type_and_one_line(tmp_path: Path) -> None:
    async def check(worker: Worker) -> None:
        with pytest.raises(RmaMambaError) as caught:
            await worker.run("examine", folder=str(tmp_path), shown=str(tmp_path), version=3)
        assert isinstance(caught.value, ConfigError)
        assert "no version 3" in str(caught.value)
        with pytest.raises(RmaMambaError, match="unexpected KeyError"):
            await worker.run("no such task")
        assert str(tmp_path) not in str(caught.value)

    with_worker(check)


def test_a_task_that_does_not_notice_its_cancellation_is_killed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(worker_module, "_GRACE_S", 0.2)

    async def check(worker: Worker) -> None:
        await worker.run("list_results", results=[], scans=None)
        os.kill(worker.pid, signal.SIGSTOP)
        task = asyncio.create_task(worker.run("list_cases", path=str(tmp_path)))
        await asyncio.sleep(0.05)
        await worker.cancel()
        with pytest.raises(TaskCancelledError):
            await task
        assert not worker.is_busy

    with_worker(check)


def test_a_worker_ends_when_its_server_is_gone() -> None:
    async def check(worker: Worker) -> int:
        await worker.run("list_results", results=[], scans=None)
        pid = worker.pid
        assert pid is not None
        assert worker._process is not None
        assert worker._process.stdin is not None
        worker._process.stdin.close()  # as when the server is killed
        return await worker._process.wait()

    assert with_worker(check) == 0


def test_a_server_that_stops_while_a_worker_starts_leaves_none() -> None:
    async def check(worker: Worker) -> int:
        task = asyncio.create_task(worker.run("list_results", results=[], scans=None))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return os.getpid()

    parent = with_worker(check)
    time.sleep(0.05)
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    commands = [
        Path(f"/proc/{child}/cmdline").read_bytes() for child in children if is_alive(int(child))
    ]
    assert not any(b"worker_process_main" in command for command in commands)
