"""In a forked child torch works, with threads of its own, whichever thread forked and whatever others were doing."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from types import ModuleType

import pytest
import torch
from numba.core.compiler_lock import global_compiler_lock

from forks import in_a_fork, in_a_thread
from rma_mamba.errors import BackendError
from rma_mamba.ops import after_fork
from rma_mamba.ops.after_fork import expect_fork, survives_fork
from rma_mamba.ops.selective_scan import numba_kernels
from torch_threads import torch_threads


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    with torch_threads(2):
        yield


def torch_work() -> tuple[float, int, bool]:
    """A sum, the number of torch's threads, and whether this is the thread that forked."""
    large = torch.ones(300_000)
    images = torch.ones(2, 8, 64, 64)
    filtered = torch.nn.functional.conv2d(images, torch.ones(8, 8, 3, 3))
    total = float((large * 2).sum() + (torch.ones(300, 300) @ torch.ones(300, 300)).sum())
    return total + float(filtered.mean()), torch.get_num_threads(), after_fork.is_stranded()


decorated = survives_fork(torch_work)


@pytest.mark.parametrize("segmented_in", ["the thread that forks", "another thread"])
@pytest.mark.parametrize("forked_in", ["main thread", "another thread"])
def test_work_after_a_fork_has_all_threads(segmented_in: str, forked_in: str) -> None:
    def parent() -> tuple[object, object]:
        before = decorated() if segmented_in == "the thread that forks" else in_a_thread(decorated)
        return before, in_a_fork(decorated)

    before, after = parent() if forked_in == "main thread" else in_a_thread(parent)
    assert before == after
    assert after[1:] == (2, False)


def test_a_grandchild_works_as_well() -> None:
    # in a fresh process: the threads of earlier tests are no part of the claim
    folders = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "support")]
    done = subprocess.run(
        [sys.executable, "-c", _GRANDCHILD, *folders], capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, done.stderr


_GRANDCHILD = """
import sys
sys.path[:0] = sys.argv[1:]
from forks import in_a_fork
from test_after_fork import decorated
expected = decorated()
assert in_a_fork(lambda: (decorated(), in_a_fork(decorated))) == (expected, expected)
"""


def test_torch_that_is_used_directly_continues_on_one_thread() -> None:
    if after_fork.openmp() is None:
        pytest.skip("this build of torch has no OpenMP library of GNU")
    expect_fork()
    expected = torch_work()
    assert in_a_fork(torch_work) == (expected[0], 1, True)


def test_the_number_of_threads_that_a_child_asks_for_is_kept() -> None:
    decorated()

    def child() -> int:
        torch.set_num_threads(1)
        return decorated()[1]

    assert in_a_fork(child) == 1


def test_without_a_fork_the_work_stays_in_its_thread() -> None:
    assert survives_fork(threading.get_ident)() == threading.get_ident()


def test_errors_reach_the_caller() -> None:
    def fail() -> None:
        raise ValueError("as it was")

    assert isinstance(in_a_fork(survives_fork(fail)), ValueError)


def test_a_gpu_that_the_parent_used_is_a_typed_error() -> None:
    def cuda() -> None:
        raise RuntimeError("Cannot re-initialize CUDA in forked subprocess. To use CUDA with")

    error = in_a_fork(survives_fork(cuda))
    assert isinstance(error, BackendError)
    assert "spawn" in str(error)


def test_a_lock_that_another_thread_held_is_free_in_the_child(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started, finish = threading.Event(), threading.Event()

    class Slow:
        is_child = False

        @cached_property
        def value(self) -> int:
            if not self.is_child:
                started.set()
                finish.wait(60)
            return 5

    module = ModuleType("rma_mamba.slow")
    module.Slow = Slow  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "rma_mamba.slow", module)
    other = threading.Thread(target=lambda: Slow().value)
    other.start()
    started.wait(60)

    def child() -> int:
        Slow.is_child = True
        return Slow().value

    assert in_a_fork(child) == 5
    finish.set()
    other.join()


def test_a_fork_waits_until_another_thread_has_compiled() -> None:
    assert numba_kernels.global_compiler_lock is global_compiler_lock
    held = threading.Event()

    def compile_something() -> None:
        with global_compiler_lock:
            held.set()
            threading.Event().wait(0.3)

    other = threading.Thread(target=compile_something)
    other.start()
    held.wait(60)

    def child() -> bool:
        def take() -> bool:
            with global_compiler_lock:
                return True

        return bool(in_a_thread(take))

    assert in_a_fork(child)
    other.join()


def test_a_child_that_loads_this_package_only_after_the_fork_works() -> None:
    script = (
        "import multiprocessing, torch\n"
        "torch.set_num_threads(2)\n"
        "def work():\n"
        "    return float((torch.ones(400, 400) @ torch.ones(400, 400)).sum())\n"
        "def child(_):\n"
        "    from rma_mamba.ops.after_fork import survives_fork\n"
        "    return survives_fork(work)()\n"
        "expected = work()\n"
        "with multiprocessing.get_context('fork').Pool(1) as pool:\n"
        "    assert pool.map_async(child, [0]).get(60) == [expected]\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=100)
    assert done.returncode == 0, done.stderr
