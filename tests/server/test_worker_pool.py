"""Worker processes of the server: their tasks, and what is left of one when its server stops or gives it up."""

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import process_tasks
from rma_mamba.errors import ConfigError, RmaMambaError
from rma_mamba.pipeline.isolated_process import IsolatedProcess
from rma_mamba.server import worker_pool
from rma_mamba.server.worker_pool import WorkerPool, run_task


@pytest.fixture
def process(tasks_are_found: None) -> Iterator[IsolatedProcess]:
    process = IsolatedProcess()
    yield process
    process.stop()


def replace_tasks(monkeypatch: pytest.MonkeyPatch, task: Any) -> None:
    monkeypatch.setattr(worker_pool, "carry_out", task)


def children() -> list[int]:
    parent = os.getpid()
    threads = Path(f"/proc/{parent}/task").iterdir()
    return [int(pid) for each in threads for pid in (each / "children").read_text().split()]


def test_tasks_have_names_and_their_errors_a_type_and_one_line(tmp_path: Path) -> None:
    async def check(pool: WorkerPool) -> None:
        assert await pool.run("list_results", results=[], scans=None) == []
        with pytest.raises(ConfigError, match="no version 3"):
            await pool.run("examine", folder=str(tmp_path), shown=str(tmp_path), version=3)
        with pytest.raises(RmaMambaError, match="unexpected KeyError") as caught:
            await pool.run("no such task")
        assert str(tmp_path) not in str(caught.value)

    async def run() -> None:
        pool = WorkerPool()
        pool.start()
        try:
            await check(pool)
        finally:
            await pool.stop()

    before = children()
    asyncio.run(run())
    assert children() == before


def test_progress_arrives_in_the_event_loop(
    process: IsolatedProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_tasks(monkeypatch, process_tasks.count_for_server)
    seen: list[tuple[Any, ...]] = []

    def note(*report: Any) -> None:
        seen.append((*report, threading.get_ident() == loop))

    loop = threading.get_ident()
    assert asyncio.run(run_task(process, "count", note, limit=2)) == 2
    assert seen == [(1, 2, True), (2, 2, True)]


@pytest.mark.parametrize("pause_s", [0.0, 0.01, 0.3])
def test_a_server_that_stops_at_any_moment_of_a_task_leaves_no_process(
    process: IsolatedProcess, monkeypatch: pytest.MonkeyPatch, pause_s: float
) -> None:
    replace_tasks(monkeypatch, process_tasks.sleep_for_server)

    async def run() -> None:
        running = asyncio.create_task(run_task(process, "sleep", seconds=60))
        await asyncio.sleep(pause_s)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    started = time.monotonic()
    asyncio.run(run())
    assert time.monotonic() - started < 30
    assert process.pid is None


def test_tasks_wait_for_a_worker_and_idle_ones_end(
    tasks_are_found: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_tasks(monkeypatch, process_tasks.process_id_for_server)
    monkeypatch.setattr(worker_pool, "_IDLE_S", 0.2)

    async def run() -> None:
        before = set(children())
        pool = WorkerPool()
        pids = await asyncio.gather(*(pool.run("pid") for _ in range(6)))
        assert 1 <= len(set(pids)) <= 2
        pool.start()
        while set(children()) - before:
            await asyncio.sleep(0.02)
        await pool.stop()

    asyncio.run(asyncio.wait_for(run(), 60))
