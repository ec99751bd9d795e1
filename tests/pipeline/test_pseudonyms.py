"""Pseudonyms are the same for the same text, and depend on a key that only its owner can read."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rma_mamba.errors import ScanError
from rma_mamba.pipeline.pseudonyms import Pseudonyms


def test_the_key_is_private_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "state" / "key"
    first = Pseudonyms(path).of("1.2.3")
    assert (len(first), path.stat().st_size, path.stat().st_mode & 0o777) == (20, 32, 0o600)
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert Pseudonyms(path).of("1.2.3") == first != Pseudonyms(path).of("1.2.4")
    assert [each.name for each in path.parent.iterdir()] == ["key"]


@pytest.mark.parametrize("content", [b"", b"short"])
def test_a_damaged_key_is_replaced_because_it_could_be_guessed(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "key").write_bytes(content)
    found = Pseudonyms(tmp_path / "key").of("1.2.3")
    assert (tmp_path / "key").stat().st_size == 32
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert Pseudonyms(tmp_path / "key").of("1.2.3") == found


def test_keys_made_at_the_same_time_are_one(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        found = set(threads.map(lambda _: Pseudonyms(tmp_path / "key").of("1"), range(16)))
    assert len(found) == 1


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ScanError, match="key of the pseudonyms cannot be read or written"):
        Pseudonyms(tmp_path / "file" / "key")
