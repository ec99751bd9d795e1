"""A zip archive is read in memory, and none can fill it, lead out of it, or hang the reader."""

from __future__ import annotations

import contextlib
import io
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicom_series import SLICES, save, series, stored, zipped
from rma_mamba.errors import RmaMambaError, ScanError
from rma_mamba.scans import archive, read_scan
from rma_mamba.scans.input_files import MAX_FILES


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A zip archive of a small series."""
    folder = tmp_path_factory.mktemp("study")
    return zipped(save(folder / "series", series()), folder / "study.zip")


def added(study: Path, path: Path, *members: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    """The archive with more members."""
    path.write_bytes(study.read_bytes())
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as file:
        for name, content in members:
            file.writestr(name, content)
    return path


def assert_same_scan(path: Path) -> None:
    volume = read_scan(path)
    assert np.array_equal(volume.values, stored().transpose(2, 1, 0) - 1024)


def test_member_names_are_not_used_as_paths(study: Path, tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "climbing.zip"
    path.parent.mkdir(parents=True)
    with zipfile.ZipFile(study) as source, zipfile.ZipFile(path, "w") as file:
        for number, name in enumerate(source.namelist()):
            file.writestr(f"../../../climbed/{number}.dcm", source.read(name))
            file.writestr(f"/etc/climbed-{number}.txt", b"x")
    assert_same_scan(path)
    assert sorted(found.name for found in tmp_path.rglob("*")) == ["a", "b", "climbing.zip"]


def test_links_are_not_followed(study: Path, tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link.dcm")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    assert_same_scan(added(study, tmp_path / "a.zip", (link, b"/etc/passwd")))


def test_a_link_stands_for_a_missing_slice_unless_its_target_is_in_the_archive(
    study: Path, tmp_path: Path
) -> None:
    link = zipfile.ZipInfo("below/link.dcm")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(study) as source:
        inside = f"../{source.namelist()[0]}".encode()
    before = read_scan(study).warnings
    assert read_scan(added(study, tmp_path / "a.zip", (link, inside))).warnings == before
    found = read_scan(added(study, tmp_path / "b.zip", (link, b"../nowhere"))).warnings
    assert len(set(found) - set(before)) == 1
    assert any(each.startswith("1 link leads nowhere") for each in found)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_members_with_the_same_name_are_all_read(study: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(study) as source, zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        for name in source.namelist():
            file.writestr("slice.dcm", source.read(name))
    assert_same_scan(tmp_path / "a.zip")


def test_a_nested_archive_is_not_opened(study: Path, tmp_path: Path) -> None:
    inner = study.read_bytes()
    assert_same_scan(added(study, tmp_path / "a.zip", ("more.zip", inner)))
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as file:
        file.writestr("inner.zip", inner)
    with pytest.raises(ScanError, match="no DICOM images"):
        read_scan(tmp_path / "b.zip")


def encrypted(content: bytes) -> bytes:
    """The archive with the flag of encryption at every member."""
    changed = bytearray(content)
    for signature, at in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        start = changed.find(signature)
        while start >= 0:
            changed[start + at] |= 1
            start = changed.find(signature, start + 4)
    return bytes(changed)


def bomb(content: bytes) -> bytes:
    """A member of 128 MB of zeros in some hundred kilobytes."""
    buffer = io.BytesIO(content)
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        file.writestr("slice.dcm", bytes(2**27))
    return buffer.getvalue()


def claiming(count: int, directory: int) -> Callable[[bytes], bytes]:
    """An archive whose end claims so many members and bytes of directory."""

    def change(content: bytes) -> bytes:
        at = content.rfind(b"PK\x05\x06")
        end = struct.pack("<HHIIH", count, count, directory, 0, 0)
        return content[: at + 8] + end

    return change


def million(content: bytes) -> bytes:
    """An archive whose 64-bit end claims a million members."""
    at = content.rfind(b"PK\x05\x06")
    end = struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, 10**6, 10**6, 50 * 10**6, 0)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, at, 1)
    last = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 2**32 - 1, 2**32 - 1, 0)
    return content[:at] + end + locator + last


BAD: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "encrypted": (encrypted, "encrypted"),
    "ratio bomb": (bomb, "declares 0.1 GB in"),
    "cut in half": (lambda content: content[: len(content) // 2], "truncated or corrupt"),
    "cut at its end": (lambda content: content[:-5], "truncated or corrupt"),
    "a corrupt member": (
        lambda content: content[:200] + bytes(40) + content[240:],
        "truncated or corrupt",
    ),
    "only its first bytes": (lambda content: content[:4], "truncated or corrupt"),
    "a directory beyond reason": (claiming(10, 2**31), f"more than {MAX_FILES}"),
    "a million members": (million, f"more than {MAX_FILES}"),
    "no members": (lambda content: content[-22:-14] + bytes(14), "the folder is empty"),
}


@pytest.mark.parametrize(("change", "words"), BAD.values(), ids=BAD.keys())
def test_an_invalid_archive_raises_a_one_line_error_with_advice(
    study: Path, tmp_path: Path, change: Callable[[bytes], bytes], words: str
) -> None:
    path = tmp_path / "Doe.zip"
    path.write_bytes(change(study.read_bytes()))
    with pytest.raises(ScanError) as caught:
        read_scan(path)
    message = str(caught.value)
    assert words in message
    assert "expected" in message
    assert "\n" not in message
    assert "Doe" not in message


def test_too_many_members_are_rejected(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_FILES", SLICES - 1)
    with pytest.raises(ScanError, match="more than"):
        read_scan(study)


def test_a_member_is_read_up_to_its_declared_size_only(study: Path, tmp_path: Path) -> None:
    content = bytearray(bomb(study.read_bytes()))
    at = content.rfind(b"PK\x01\x02")  # the directory's record of the last member
    content[at + 24 : at + 28] = struct.pack("<I", 1000)
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(ScanError, match="truncated or corrupt"):
        read_scan(tmp_path / "a.zip")


@settings(max_examples=40, deadline=None)
@given(position=st.integers(0, 10_000), junk=st.binary(min_size=1, max_size=6))
def test_a_corrupt_archive_never_raises_an_untyped_error(
    study: Path, tmp_path_factory: pytest.TempPathFactory, position: int, junk: bytes
) -> None:
    content = bytearray(study.read_bytes())
    position %= len(content)
    content[position : position + len(junk)] = junk
    path = tmp_path_factory.mktemp("corrupt") / "a.zip"
    path.write_bytes(content)
    with contextlib.suppress(RmaMambaError):
        read_scan(path)
