"""A few corrupt files are skipped with a warning; many, or any in strict reading, are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, uid
from pydicom.encaps import encapsulate, generate_frames

from dicom_series import (
    COLUMNS,
    ROWS,
    SERIES,
    SLICES,
    Edit,
    as_series,
    break_rle,
    edited,
    enhanced,
    remove,
    save,
    series,
    shorten,
    stored,
    zipped,
)
from jpeg_lossless import compressed
from rma_mamba.errors import ScanError
from rma_mamba.scans import count_volumes, list_series, read_geometry, read_scan

EXPECTED = stored().transpose(2, 1, 0) - 1024
SECRETS = ("Doe", "4711", SERIES)


def cut(which: int) -> Edit:
    """Cut off the pixels of a slice."""

    def edit(slices: list[Dataset]) -> None:
        slices[which].PixelData = slices[which].PixelData[:-6]

    return edit


def break_jpeg(slices: list[Dataset]) -> None:
    for data in slices:
        compressed(data)
    slices[2].PixelData = slices[2].PixelData.replace(b"\xff\xc4", b"\xff\xc5", 1)


# How the file is corrupted, a word of the error in strict reading, and the slice that is lost.
PIXELS: dict[str, tuple[Edit, str, int]] = {
    "short": (shorten, "truncated", 2),
    "missing": (remove("PixelData", slice(3, 4)), "1 DICOM file is truncated or corrupt", 3),
    "RLE": (break_rle, "RLE", 0),
    "JPEG Lossless": (break_jpeg, "JPEG Lossless", 2),
    "the last one": (cut(SLICES - 1), "truncated", SLICES - 1),
}


@pytest.mark.parametrize(("edit", "words", "lost"), PIXELS.values(), ids=PIXELS.keys())
def test_a_slice_with_corrupt_pixels_is_treated_as_missing(
    tmp_path: Path, edit: Edit, words: str, lost: int
) -> None:
    folder = save(tmp_path / "series", edited(edit))
    with pytest.raises(ScanError, match=words) as caught:
        read_scan(folder, strict=True)
    volume = read_scan(folder)
    assert volume.warnings[0].startswith("1 DICOM image is truncated or corrupt")
    assert ": it was skipped" in volume.warnings[0]
    for text in (str(caught.value), *volume.warnings):
        assert "\n" not in text
        assert not any(secret in text for secret in SECRETS)
    kept = [k for k in range(SLICES) if k != lost]
    within = 0 < lost < SLICES - 1
    assert volume.geometry.shape == (COLUMNS, ROWS, SLICES if within else SLICES - 1)
    assert ("interpolated" in " ".join(volume.warnings)) == within
    places = kept if within else range(SLICES - 1)
    assert np.array_equal(volume.values[:, :, list(places)], EXPECTED[:, :, kept])
    assert volume.source_images is not None
    assert [image.instance_uid for image in volume.source_images.slices] == [
        f"{SERIES}.{k}" for k in kept
    ]


@pytest.mark.parametrize("keep", [140, 300, 500])
@pytest.mark.parametrize("form", ["folder", "zip"])
def test_files_truncated_in_the_header_are_counted_and_their_slices_interpolated(
    tmp_path: Path, keep: int, form: str
) -> None:
    folder = save(tmp_path / "series", series(), shuffled=False)
    for name in ("IM0001", "IM0004"):
        (folder / name).write_bytes((folder / name).read_bytes()[:keep])
    scan = folder if form == "folder" else zipped(folder, tmp_path / "series.zip")
    with pytest.raises(ScanError, match="2 DICOM files are truncated or corrupt"):
        read_scan(scan, strict=True)
    volume = read_scan(scan)
    corrupt, missing = volume.warnings
    assert corrupt.startswith("2 DICOM images are truncated or corrupt: they were skipped")
    assert missing.startswith("About 2 slices of the series seem to be missing")
    kept = [0, 2, 3, 5]
    assert np.array_equal(volume.values[:, :, kept], EXPECTED[:, :, kept])
    assert np.array_equal(read_geometry(scan).affine, volume.geometry.affine)
    (listed,) = list_series(scan)
    assert (listed.images, count_volumes(scan)) == (4, 1)


def test_the_other_slices_are_read_wherever_a_file_is_truncated(tmp_path: Path) -> None:
    folder = save(tmp_path, series(), shuffled=False)
    content = (folder / "IM0003").read_bytes()
    for keep in range(132, len(content), 5):
        (folder / "IM0003").write_bytes(content[:keep])
        with pytest.raises(ScanError, match="expected"):
            read_scan(folder, strict=True)
        volume = read_scan(folder)
        assert "1 DICOM image is truncated or corrupt" in volume.warnings[0], keep
        kept = [0, 1, 2, 4, 5]
        assert np.array_equal(volume.values[:, :, kept], EXPECTED[:, :, kept])


def test_corrupt_headers_and_corrupt_pixels_are_counted_together(tmp_path: Path) -> None:
    folder = save(tmp_path, edited(cut(2), slices=12), shuffled=False)
    (folder / "IM0007").write_bytes((folder / "IM0007").read_bytes()[:300])
    assert read_scan(folder).warnings[0].startswith("2 DICOM images are truncated or corrupt")


@pytest.mark.parametrize("count", [3, 5, 6])
def test_a_series_with_too_many_corrupt_files_is_rejected(tmp_path: Path, count: int) -> None:
    headers = save(tmp_path / "headers", series(), shuffled=False)
    for name in sorted(headers.iterdir())[:count]:
        name.write_bytes(name.read_bytes()[:300])
    with pytest.raises(ScanError, match=f"{count} DICOM files are truncated or corrupt"):
        read_scan(headers)
    slices = series()
    for data in slices[:count]:
        data.PixelData = data.PixelData[:-6]
    pixels = save(tmp_path / "pixels", slices)
    with pytest.raises(ScanError, match="pixel data of a slice are missing"):
        read_scan(pixels)


def test_gaps_left_by_corrupt_slices_have_the_usual_limits(tmp_path: Path) -> None:
    slices = series(slices=40, step_mm=4.0)
    for data in slices[10:18]:
        data.PixelData = data.PixelData[:-6]
    with pytest.raises(ScanError, match="8 slices of the series seem to be missing"):
        read_scan(save(tmp_path, slices))


def test_corrupt_slices_of_another_series_are_ignored(tmp_path: Path) -> None:
    other = as_series(series(slices=4), 2)
    for data in other:
        data.PixelData = data.PixelData[:-6]
    volume = read_scan(save(tmp_path, [*series(), *other]), series=1)
    assert np.array_equal(volume.values, EXPECTED)
    assert volume.warnings == ()


def test_only_the_volume_with_a_corrupt_file_is_repaired(tmp_path: Path) -> None:
    slices: list[Any] = [*series(), *series()]
    for number, data in enumerate(slices):
        data.EchoTime = 1 + number // SLICES
        data.SOPInstanceUID = f"{SERIES}.{number}"
    cut(SLICES + 2)(slices)
    folder = save(tmp_path, slices)
    assert read_scan(folder, volume=1).warnings == ()
    assert "1 DICOM image is truncated" in read_scan(folder, volume=2).warnings[0]


@pytest.mark.parametrize("syntax", [None, uid.RLELossless])
def test_a_corrupt_multi_frame_object_is_rejected(tmp_path: Path, syntax: str | None) -> None:
    data = enhanced(series())
    if syntax:
        data.compress(syntax, generate_instance_uid=False)
    folder = save(tmp_path, [data])
    (path,) = folder.iterdir()
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ScanError, match="truncated or corrupt"):
        read_scan(path)


def test_a_corrupt_frame_is_treated_as_a_missing_slice(tmp_path: Path) -> None:
    data = enhanced(series())
    data.compress(uid.RLELossless, generate_instance_uid=False)
    frames = list(generate_frames(data.PixelData, number_of_frames=SLICES))
    data.PixelData = encapsulate(
        [b"\xff" * 64 if k == 2 else each for k, each in enumerate(frames)]
    )
    folder = save(tmp_path, [data])
    with pytest.raises(ScanError, match="RLE"):
        read_scan(folder, strict=True)
    volume = read_scan(folder)
    assert volume.warnings[0].startswith("1 DICOM image is truncated or corrupt")
    kept = [0, 1, 3, 4, 5]
    assert np.array_equal(volume.values[:, :, kept], EXPECTED[:, :, kept])
    assert volume.source_images is not None
    assert [image.frame for image in volume.source_images.slices] == [k + 1 for k in kept]
