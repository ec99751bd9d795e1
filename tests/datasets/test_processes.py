"""Results come in the order of the items, whatever the number of processes."""

import operator
import os

import pytest

from process_probes import end, threads
from rma_mamba.datasets.processes import mapped, usable_cores
from rma_mamba.errors import ScanError


@pytest.mark.parametrize("jobs", [1, 2])
def test_results_are_in_order(jobs: int) -> None:
    assert list(mapped(operator.neg, range(10), jobs)) == [-n for n in range(10)]
    assert usable_cores() >= 1


def test_processes_share_the_cores_before_torch_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("rma_mamba.datasets.processes.usable_cores", lambda: 7)
    assert set(mapped(threads, range(8), 2)) == {("3", False)}
    assert "OMP_NUM_THREADS" not in os.environ
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert set(mapped(threads, range(8), 2)) == {("5", False)}


def test_a_process_that_dies_is_an_error() -> None:
    with pytest.raises(ScanError, match="a process that reads cases died"):
        list(mapped(end, range(8), 2))


def test_few_items_need_no_processes() -> None:
    assert list(mapped(lambda n: n + 1, range(3), 8)) == [1, 2, 3]  # a lambda cannot be sent
