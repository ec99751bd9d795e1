"""The cache gives what making anew gives, makes once, and is never stale or half-written."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from rma_mamba.datasets import cache as module
from rma_mamba.datasets.cache import Arrays, cached, fingerprint
from rma_mamba.datasets.cases import phantom_cases, read_cases
from rma_mamba.datasets.config import DataConfig, PhantomConfig
from rma_mamba.errors import ConfigError


def entries(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_arrays_are_made_once_and_then_mapped(tmp_path: Path) -> None:
    made = []

    def make() -> Arrays:
        made.append(1)
        return {"images": np.arange(6).reshape(2, 3), "gap": np.array(2.5)}

    first = cached(str(tmp_path / "cache"), {"a": 1}, make)
    second = cached(str(tmp_path / "cache"), {"a": 1}, make)
    assert made == [1]
    assert isinstance(second["images"], np.memmap)
    for each in (first, second):
        assert np.array_equal(each["images"], np.arange(6).reshape(2, 3))
        assert float(each["gap"]) == 2.5
    with pytest.raises(ValueError, match="read-only"):
        second["images"][0, 0] = 1
    cached(str(tmp_path / "cache"), {"a": 2}, make)
    assert made == [1, 1]
    cached(None, {"a": 1}, make)
    assert made == [1, 1, 1]


def test_other_code_finds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for code in ("one", "two"):
        monkeypatch.setattr(module, "_code", lambda code=code: code)
        cached(str(tmp_path), {}, lambda: {"images": np.ones(3)})
    assert len(entries(tmp_path)) == 2


def test_what_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def make() -> Arrays:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        cached(str(tmp_path), {}, make)
    monkeypatch.setattr(module.np, "save", _half_written)
    with pytest.raises(ConfigError, match="No space left"):
        cached(str(tmp_path), {}, lambda: {"images": np.ones(3)})
    assert entries(tmp_path) == []


def _half_written(path: Path, array: np.ndarray) -> None:
    path.write_bytes(array.tobytes()[:1])
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_another_process_may_be_faster(tmp_path: Path) -> None:
    def make() -> Arrays:
        cached(str(tmp_path), {}, lambda: {"images": np.ones(3)})
        return {"images": np.ones(3)}

    assert np.array_equal(cached(str(tmp_path), {}, make)["images"], np.ones(3))
    assert len(entries(tmp_path)) == 1


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"cannot be used .*Choose another") as caught:
        cached(str(tmp_path / "file" / "cache"), {}, lambda: {"images": np.ones(3)})
    assert "\n" not in str(caught.value)


def test_cases_from_the_cache_are_those_that_are_read(config: DataConfig, tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    with_cache = config.model_copy(
        update={"cache": str(folder), "phantoms": PhantomConfig(count=1)}
    )
    plain = [*read_cases(config, "train"), *phantom_cases(with_cache)]
    for _ in range(2):
        kept = [*read_cases(with_cache, "train"), *phantom_cases(with_cache)]
        for one, other in zip(plain, kept, strict=True):
            assert (one.source, one.patient, one.ordered) == (
                other.source,
                other.patient,
                other.ordered,
            )
            assert (one.weight, one.gap_mm) == (other.weight, other.gap_mm)
            assert np.array_equal(one.images, other.images)
            assert np.array_equal(one.labels, other.labels)
            assert (one.tissues is None) == (other.tissues is None)
    assert len(entries(folder)) == len(plain)


def test_a_changed_file_is_read_anew(config: DataConfig, folder: Path, tmp_path: Path) -> None:
    config = config.model_copy(update={"cache": str(tmp_path / "cache")})
    before = len(read_cases(config, "train")) and len(entries(tmp_path / "cache"))
    path = next((folder / "slices" / "masks").glob("p003_z1*"))
    old = fingerprint([path])
    path.touch()
    assert fingerprint([path]) != old
    read_cases(config, "train")
    assert len(entries(tmp_path / "cache")) == before + 1
