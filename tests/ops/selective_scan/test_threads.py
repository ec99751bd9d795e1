"""Tasks run on the threads of torch, or on a pool where these are not accessible."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from forks import in_a_fork
from rma_mamba.ops.selective_scan import threads
from rma_mamba.ops.selective_scan.threads import run_tasks
from torch_threads import torch_threads


@pytest.fixture(params=["team", "pool"], autouse=True)
def two_threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if request.param == "pool":
        monkeypatch.setattr(threads, "_torch_team", lambda: None)
    elif threads._torch_team() is None:
        pytest.skip("this build of torch has no OpenMP library")
    with torch_threads(2):
        yield


@pytest.mark.parametrize("tasks", [1, 2, 3, 50])
def test_each_task_is_run_once(tasks: int) -> None:
    done: list[int] = []
    run_tasks(done.append, tasks)
    assert sorted(done) == list(range(tasks))


def test_two_tasks_run_in_parallel() -> None:
    both = threading.Barrier(2)
    run_tasks(lambda _: both.wait(timeout=60) and None, 2)


@pytest.mark.parametrize("failing", [0, 1])
def test_the_exception_of_a_task_reaches_the_caller(failing: int) -> None:
    def task(number: int) -> None:
        time.sleep(0.02)  # so that both threads have one
        if number == failing:
            raise ValueError(f"task {number}")

    with pytest.raises(ValueError, match=f"task {failing}"):
        run_tasks(task, 2)
    done: list[int] = []
    run_tasks(done.append, 4)
    assert sorted(done) == [0, 1, 2, 3]


def test_several_threads_of_the_caller_may_run_tasks_at_once() -> None:
    def count(_: int) -> int:
        done: list[int] = []
        run_tasks(done.append, 20)
        return len(done)

    with ThreadPoolExecutor(4) as callers:
        assert list(callers.map(count, range(20))) == [20] * 20


def test_a_forked_child_runs_tasks_too() -> None:
    run_tasks(lambda _: None, 2)  # so that there are threads to lose
    assert in_a_fork(_six_tasks) == 6


def _six_tasks() -> int:
    done: list[int] = []
    run_tasks(done.append, 6)
    return len(done)
