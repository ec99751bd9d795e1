"""A process of its own for tasks: errors come back typed, and a task that crashes, hangs or is cancelled ends alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import process_tasks
from rma_mamba.errors import RmaMambaError, ScanError
from rma_mamba.pipeline import isolated_process
from rma_mamba.pipeline.isolated_process import (
    DiskFullError,
    IsolatedProcess,
    ProcessDiedError,
    TaskCancelledError,
)


@pytest.fixture(scope="module")
def process(tasks_are_found: None) -> Iterator[IsolatedProcess]:
    process = IsolatedProcess()
    yield process
    process.stop()
    assert process.pid is None


@pytest.fixture(autouse=True)
def _short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolated_process, "_GRACE_S", 0.3)


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that nobody has waited for has ended."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def begun(
    process: IsolatedProcess, task: Callable[..., Any], *arguments: Any
) -> tuple[threading.Thread, list[BaseException]]:
    """A task in a thread, which has reported something; and the error that it ends with."""
    reported, errors = threading.Event(), []

    def call() -> None:
        try:
            process.call(task, *arguments, progress=lambda *_: reported.set())
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    assert reported.wait(30)
    return thread, errors


def test_tasks_share_one_process_which_is_not_this_one(process: IsolatedProcess) -> None:
    first, second = process.call(process_tasks.process_id), process.call(process_tasks.process_id)
    assert first == second == process.pid != os.getpid()


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
    with pytest.raises(RmaMambaError, match="unexpected ValueError") as caught:
        process.call(process_tasks.fail, "other")
    assert "John" not in str(caught.value)
    with pytest.raises(RmaMambaError, match="unexpected"):
        process.call(process_tasks.give_what_cannot_be_sent)


def test_what_libraries_print_does_not_disturb_the_answers(
    process: IsolatedProcess, capfd: pytest.CaptureFixture[str]
) -> None:
    assert process.call(process_tasks.print_much) == "answer"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("number", "cause", "message"),
    [
        (signal.SIGSEGV, "the process ended", "ended unexpectedly"),
        (signal.SIGKILL, "out of memory", "memory ran out"),
    ],
)
def test_a_crash_ends_one_task(
    process: IsolatedProcess, number: int, cause: str, message: str
) -> None:
    before = process.call(process_tasks.process_id)
    with pytest.raises(ProcessDiedError, match=message) as caught:
        process.call(process_tasks.die_of, number)
    assert caught.value.cause == cause
    assert process.call(process_tasks.process_id) != before


def test_a_task_without_enough_memory_is_told_from_a_scan_that_is_damaged(
    process: IsolatedProcess,
) -> None:
    with pytest.raises(ProcessDiedError) as caught:
        process.call(process_tasks.fail, "memory")
    assert caught.value.cause == "out of memory"


def test_a_full_disk_is_told_from_a_scan_that_is_damaged(process: IsolatedProcess) -> None:
    with pytest.raises(DiskFullError, match="no space"):
        process.call(process_tasks.fail, "disk")


def test_a_process_that_ends_between_two_tasks_is_replaced(process: IsolatedProcess) -> None:
    before = process.call(process_tasks.process_id)
    os.kill(before, signal.SIGKILL)
    until(lambda: process.pid is None)
    assert process.call(process_tasks.process_id) != before


def test_a_task_that_reports_notices_its_cancellation_and_the_process_is_kept(
    process: IsolatedProcess,
) -> None:
    before = process.call(process_tasks.process_id)
    thread, errors = begun(process, process_tasks.report_until_cancelled)
    assert process.idle_s == 0
    process.cancel()
    thread.join()
    assert [type(each) for each in errors] == [TaskCancelledError]
    process.cancel()  # nothing runs: nothing to cancel, now or later
    assert process.call(process_tasks.count_to, 3) == 3
    assert process.call(process_tasks.process_id) == before
    assert process.idle_s >= 0


def test_a_task_that_does_not_notice_its_cancellation_is_killed(process: IsolatedProcess) -> None:
    thread, errors = begun(process, process_tasks.sleep, 60)
    process.cancel()
    thread.join()
    assert [type(each) for each in errors] == [TaskCancelledError]


def test_a_task_that_hangs_is_ended(process: IsolatedProcess) -> None:
    with pytest.raises(ScanError, match="took too long"):
        process.call(process_tasks.sleep, 60, silence_s=0.2)
    assert process.pid is None


def test_a_task_can_be_stopped_from_another_thread_with_all_its_processes(
    process: IsolatedProcess,
) -> None:
    helper = process.call(process_tasks.start_helper)
    thread, errors = begun(process, process_tasks.sleep, 60)
    process.stop()
    thread.join()
    [error] = errors
    assert isinstance(error, ProcessDiedError)
    assert error.cause == "the process was stopped"
    until(lambda: not is_alive(helper))


def test_an_error_of_the_caller_leaves_no_answers_for_the_next_task(
    process: IsolatedProcess,
) -> None:
    def full(*_: Any) -> None:
        raise OSError

    with pytest.raises(OSError):  # noqa: PT011
        process.call(process_tasks.count_to, 3, progress=full)
    assert process.call(process_tasks.count_to, 2) == 2


_PARENT = """
from rma_mamba.pipeline.isolated_process import IsolatedProcess
import process_tasks
show = lambda pid, _: print(pid, flush=True)
IsolatedProcess().call(process_tasks.sleep, 60, progress=show)
"""


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are listed in /proc")
def test_the_process_ends_in_the_middle_of_a_task_if_its_parent_is_killed(
    tasks_are_found: None,
) -> None:
    command = [sys.executable, "-c", _PARENT]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert is_alive(child)
        parent.send_signal(signal.SIGKILL)
    until(lambda: not is_alive(child))
