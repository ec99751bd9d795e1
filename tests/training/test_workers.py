"""Training starts with as many workers as shared memory supports, and gives the same batches."""

import errno
import multiprocessing
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest
import torch

from rma_mamba.errors import EnvironmentWarning
from rma_mamba.training import workers
from rma_mamba.training.data_module import SliceDataModule
from rma_mamba.training.recipe_loading import load_recipe
from rma_mamba.training.workers import usable_workers

MIB = 1 << 20


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Shared memory with this many free bytes."""

    def limit(free: int) -> None:
        usage = SimpleNamespace(free=free)
        monkeypatch.setattr(workers.shutil, "disk_usage", lambda folder: usage)

    return limit


@pytest.mark.parametrize(
    ("free", "usable"),
    [(0, 0), (16 * MIB, 0), (64 * MIB, 0), (79 * MIB, 0), (80 * MIB, 1), (112 * MIB, 2)],
)
def test_as_many_workers_as_fit_into_shared_memory(
    memory: Callable[[int], None], free: int, usable: int
) -> None:
    memory(free)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert usable_workers(2, 16 * MIB) == usable
    assert len(caught) == (usable < 2)
    for each in caught:
        assert each.category is EnvironmentWarning
        assert "/dev/shm" in str(each.message)
        assert f"training.workers={usable}" in str(each.message)
        assert "\n" not in str(each.message)


def test_a_machine_without_that_folder_is_not_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "SHARED_MEMORY", Path("/no/such/folder"))
    assert usable_workers(7, 16 * MIB) == 7


def test_no_workers_need_no_shared_memory(memory: Callable[[int], None]) -> None:
    memory(0)
    assert usable_workers(0, 16 * MIB) == 0


@pytest.mark.parametrize("reason", [errno.EROFS, errno.ENOENT, errno.ENOSPC, errno.EACCES])
def test_without_semaphores_there_are_no_workers(
    monkeypatch: pytest.MonkeyPatch, reason: int
) -> None:
    def fail(*_: Any) -> NoReturn:
        raise OSError(reason, os.strerror(reason))

    monkeypatch.setattr(multiprocessing.get_context(), "Lock", fail)
    with pytest.warns(EnvironmentWarning, match="semaphores"):
        assert usable_workers(2, MIB) == 0


def test_a_process_that_may_not_start_others_trains_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(multiprocessing.current_process()._config, "daemon", True)
    with pytest.warns(EnvironmentWarning, match="may not start others"):
        assert usable_workers(2, MIB) == 0


def test_batches_without_room_for_workers_are_the_same(
    recipe: Path, memory: Callable[[int], None]
) -> None:
    found = []
    for free in (1 << 40, MIB // 2):
        memory(free)
        data = SliceDataModule(load_recipe(recipe, ["training.workers=1", "data.crop=64"]))
        data.setup("fit")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", EnvironmentWarning)
            loader = data.train_dataloader()
        assert loader.num_workers == (free > MIB)
        assert len(caught) == (free <= MIB)
        found.append(list(loader))
    for one, other in zip(*found, strict=True):
        assert torch.equal(one["image"], other["image"])


def test_the_size_of_a_batch_is_that_of_its_tensors(recipe: Path) -> None:
    data = SliceDataModule(load_recipe(recipe, ["data.crop=64"]))
    data.setup("fit")
    batch = next(iter(data.train_dataloader()))
    assert data._batch_bytes() == batch["image"].nbytes + batch["label"].nbytes
