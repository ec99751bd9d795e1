"""Scans that were shown are removed when they take too much space, the oldest first."""

import os
from pathlib import Path

import pytest

from rma_mamba.server import scan_cache
from rma_mamba.server.scan_cache import remove_oldest


@pytest.fixture
def shown(tmp_path: Path) -> Path:
    """Four scans of 10 bytes, from the oldest to the newest, and an empty folder."""
    for number, name in enumerate(("d", "b", "a", "c")):
        (tmp_path / name).mkdir()
        file = tmp_path / name / "scan.nii.gz"
        file.write_bytes(bytes(10))
        os.utime(file, (number + 1, number + 1))
    (tmp_path / "empty").mkdir()
    return tmp_path


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"empty"}


@pytest.mark.parametrize(
    ("limit", "keep", "left"),
    [
        (40, "d", {"a", "b", "c", "d"}),
        (39, "c", {"a", "b", "c"}),
        (20, "c", {"a", "c"}),
        (20, "d", {"c", "d"}),
        (0, "d", {"d"}),
    ],
)
def test_the_oldest_are_removed_but_not_the_one_in_use(
    shown: Path, monkeypatch: pytest.MonkeyPatch, limit: int, keep: str, left: set[str]
) -> None:
    monkeypatch.setattr(scan_cache, "MOST_BYTES", limit)
    remove_oldest(shown, keep=shown / keep)
    assert names(shown) == left
