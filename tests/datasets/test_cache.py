"""The cache returns what would be computed, computes it once, and is never stale or incomplete."""

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


def test_arrays_are_computed_once_and_then_memory_mapped(tmp_path: Path) -> None:
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


def test_other_code_does_not_share_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for code in ("one", "two"):
        monkeypatch.setattr(module, "_code", lambda code=code: code)
        cached(str(tmp_path), {}, lambda: {"images": np.ones(3)})
    assert len(entries(tmp_path)) == 2


def test_a_failure_leaves_no_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_another_process_may_store_the_entry_first(tmp_path: Path) -> None:
    def make() -> Arrays:
        cached(str(tmp_path), {}, lambda: {"images": np.ones(3)})
        return {"images": np.ones(3)}

    assert np.array_equal(cached(str(tmp_path), {}, make)["images"], np.ones(3))
    assert len(entries(tmp_path)) == 1


def test_an_entry_that_another_process_stores_meanwhile_is_not_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, stored = Path.read_text, []

    def stored_after_the_search(self: Path) -> str:
        if stored:
            return read(self)
        stored.append(self)
        cached(str(tmp_path), {}, lambda: {"images": np.zeros(3)})
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", stored_after_the_search)
    assert np.array_equal(
        cached(str(tmp_path), {}, lambda: {"images": np.ones(3)})["images"], np.zeros(3)
    )
    assert len(entries(tmp_path)) == 1


@pytest.mark.parametrize("kept", [0, 9, 70, 130])
@pytest.mark.parametrize("kind", ["cut off", "zeros", "no file"])
def test_a_damaged_entry_is_computed_again(tmp_path: Path, kept: int, kind: str) -> None:
    def entry() -> Arrays:
        return cached(str(tmp_path), {}, lambda: {"images": np.arange(40.0)})

    entry()
    (file,) = tmp_path.rglob("*.npy")
    content = file.read_bytes()
    file.unlink()
    if kind != "no file":
        file.write_bytes(content[:kept] if kind == "cut off" else bytes(kept))
    for _ in range(2):
        assert np.array_equal(entry()["images"], np.arange(40.0))
    assert file.read_bytes() == content
    assert len(entries(tmp_path)) == 1


@pytest.mark.parametrize("lost", ["images.npy", "labels.npy", "arrays.json"])
@pytest.mark.parametrize("kind", ["no file", "empty"])
def test_an_entry_that_has_lost_a_file_is_computed_again(
    tmp_path: Path, lost: str, kind: str
) -> None:
    def entry() -> Arrays:
        return cached(str(tmp_path), {}, lambda: {"images": np.arange(4.0), "labels": np.arange(4)})

    assert list(entry()) == ["images", "labels"]
    (file,) = tmp_path.rglob(lost)
    content = file.read_bytes()
    file.write_bytes(b"") if kind == "empty" else file.unlink()
    for _ in range(2):
        assert list(entry()) == ["images", "labels"]
    assert file.read_bytes() == content
    assert len(entries(tmp_path)) == 1


def test_a_folder_that_cannot_be_created_is_a_one_line_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"cannot be used .*Choose another") as caught:
        cached(str(tmp_path / "file" / "cache"), {}, lambda: {"images": np.ones(3)})
    assert "\n" not in str(caught.value)


def test_cached_cases_equal_those_read_from_files(config: DataConfig, tmp_path: Path) -> None:
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


def test_a_changed_file_is_read_again(config: DataConfig, folder: Path, tmp_path: Path) -> None:
    config = config.model_copy(update={"cache": str(tmp_path / "cache")})
    before = len(read_cases(config, "train")) and len(entries(tmp_path / "cache"))
    path = next((folder / "slices" / "masks").glob("p003_z1*"))
    old = fingerprint([path])
    path.touch()
    assert fingerprint([path]) != old
    read_cases(config, "train")
    assert len(entries(tmp_path / "cache")) == before + 1


def test_the_code_of_labels_and_subpackages_is_part_of_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("labels.py", "volume.py", "datasets/phantom/canvas.py", "scans/a.py", "other.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1")
    monkeypatch.setattr(module, "files", lambda _: tmp_path)
    digests = [module._code.__wrapped__()]
    for name in ("labels.py", "datasets/phantom/canvas.py", "scans/a.py"):
        (tmp_path / name).write_text("2")
        digests.append(module._code.__wrapped__())
    assert len(set(digests)) == 4
    (tmp_path / "other.py").write_text("2")
    assert module._code.__wrapped__() == digests[-1]
