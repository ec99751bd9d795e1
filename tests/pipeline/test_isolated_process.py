"""A process of its own for tasks: errors come back typed, and a crash ends one task."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import process_tasks
from rma_mamba.errors import RmaMambaError, ScanError
from rma_mamba.pipeline.isolated_process import (
    IsolatedProcess,
    ProcessDiedError,
    cached_segmenter,
)
from rma_mamba.pipeline.request import NetworkOptions


@pytest.fixture(scope="module")
def process() -> Iterator[IsolatedProcess]:
    process = IsolatedProcess()
    yield process
    process.stop()


def test_tasks_share_one_process_which_is_not_this_one(process: IsolatedProcess) -> None:
    first, second = process.call(process_tasks.process_id), process.call(process_tasks.process_id)
    assert first == second != os.getpid()


def test_progress_and_result_come_back(process: IsolatedProcess) -> None:
    seen: list[tuple[int, int]] = []
    result = process.call(process_tasks.count_to, 3, progress=lambda *step: seen.append(step))
    assert result == 3
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_an_error_keeps_its_type_unless_its_text_may_name_a_patient(
    process: IsolatedProcess,
) -> None:
    with pytest.raises(ScanError, match="no scan"):
        process.call(process_tasks.fail, "scan")
    with pytest.raises(MemoryError):
        process.call(process_tasks.fail, "memory")
    with pytest.raises(RmaMambaError, match="unexpected ValueError") as caught:
        process.call(process_tasks.fail, "other")
    assert "John" not in str(caught.value)


def test_a_crash_ends_one_task(process: IsolatedProcess) -> None:
    before = process.call(process_tasks.process_id)
    with pytest.raises(ProcessDiedError):
        process.call(process_tasks.crash)
    assert process.call(process_tasks.process_id) != before


def test_a_task_can_be_stopped_from_another_thread(process: IsolatedProcess) -> None:
    started = time.monotonic()
    timer = threading.Timer(0.2, process.stop)
    with pytest.raises(ProcessDiedError):
        process.call(process_tasks.sleep, 60, progress=lambda *_: timer.start())
    assert time.monotonic() - started < 30


_PARENT = """
from rma_mamba.pipeline.isolated_process import IsolatedProcess
import process_tasks
if __name__ == "__main__":
    show = lambda pid, _: print(pid, flush=True)
    IsolatedProcess().call(process_tasks.sleep, 60, progress=show)
"""


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are listed in /proc")
def test_the_process_ends_in_the_middle_of_a_task_if_its_parent_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(_PARENT)
    support = str(Path(process_tasks.__file__).parent)
    path = os.pathsep.join([support, *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path}
    command = [sys.executable, script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as parent:
        assert parent.stdout is not None
        child = Path("/proc", parent.stdout.readline().decode().strip())
        assert child.name.isdigit()
        assert child.exists()
        parent.send_signal(signal.SIGKILL)
    end = time.monotonic() + 10
    while child.exists() and time.monotonic() < end:
        time.sleep(0.05)
    assert not child.exists()


def test_a_network_is_loaded_once(segmenter) -> None:
    first, other = NetworkOptions(), NetworkOptions(fast=True)
    assert cached_segmenter(first) is cached_segmenter(first)
    assert segmenter.loads == 1
    assert cached_segmenter(other) is not cached_segmenter(first)
    assert segmenter.loads == 3  # one network at a time is in memory
