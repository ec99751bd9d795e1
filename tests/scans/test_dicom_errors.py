"""A series that is not one valid volume is refused with one line that says what to do."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset

from dicom_series import (
    CORONAL,
    SERIES,
    SLICES,
    Edit,
    assign,
    compress_unknown,
    double,
    drop,
    edited,
    encode_as,
    remove,
    resize,
    save,
    series,
    shift,
    tilt,
)
from rma_mamba.errors import GridError, RmaMambaError, ScanError
from rma_mamba.scans import read_scan

BAD: dict[str, tuple[Edit, type[RmaMambaError], str]] = {
    "two studies": (assign("StudyInstanceUID", "1.2.3", slice(3)), ScanError, "2 studies"),
    "no series": (
        remove("SeriesInstanceUID", slice(1)),
        ScanError,
        "missing in 1 of 6 slices",
    ),
    "two modalities": (assign("Modality", "PT", slice(1)), ScanError, "1 PT"),
    "PET": (assign("Modality", "PT"), ScanError, "modality of the series is not supported"),
    "enhanced": (assign("NumberOfFrames", 3), ScanError, "multi-frame"),
    "colour": (assign("SamplesPerPixel", 3), ScanError, "colour"),
    "one position missing": (remove("ImagePositionPatient", slice(1)), ScanError, "1 of 6"),
    "position missing": (remove("ImagePositionPatient"), ScanError, "ImagePositionPatient"),
    "orientation missing": (remove("ImageOrientationPatient"), ScanError, "ImageOrientation"),
    "spacing missing": (remove("PixelSpacing"), ScanError, "PixelSpacing"),
    "spacing empty": (assign("PixelSpacing", None), ScanError, "PixelSpacing"),
    "position beyond reason": (
        assign("ImagePositionPatient", [1e300, -1e300, 1e300], slice(1)),
        ScanError,
        "ImagePosition",
    ),
    "position not a number": (
        assign("ImagePositionPatient", [float("nan"), 0.0, 0.0], slice(1)),
        ScanError,
        "ImagePosition",
    ),
    "position short": (assign("ImagePositionPatient", [1.0, 2.0]), ScanError, "ImagePosition"),
    "spacing zero": (assign("PixelSpacing", [0.0, 1.0]), GridError, "PixelSpacing"),
    "spacing negative": (assign("PixelSpacing", [1.0, -1.0]), GridError, "PixelSpacing"),
    "directions not unit": (
        assign("ImageOrientationPatient", [2.0, 0, 0, 0, 1, 0]),
        GridError,
        "perpendicular unit",
    ),
    "directions skewed": (
        assign("ImageOrientationPatient", [1.0, 0, 0, 0.6, 0.8, 0]),
        GridError,
        "perpendicular unit",
    ),
    "orientations": (
        assign("ImageOrientationPatient", list(CORONAL), slice(2)),
        ScanError,
        "2 orientations",
    ),
    "spacings": (assign("PixelSpacing", [1.5, 1.5], slice(2)), ScanError, "2 pixel spacings"),
    "sizes": (resize, ScanError, "4 x 5, 5 x 4"),
    "one slice aside": (shift(2, 0, 5.0), ScanError, "in-plane"),
    "slope zero": (assign("RescaleSlope", 0), ScanError, "RescaleSlope"),
    "slope beyond sense": (assign("RescaleSlope", "1e30", slice(2, 3)), ScanError, "RescaleSlope"),
    "colours of a palette": (
        assign("PhotometricInterpretation", "PALETTE COLOR"),
        ScanError,
        "colour images",
    ),
    "unknown encoding": (compress_unknown, ScanError, "MPEG2"),
    "private encoding": (
        encode_as("1.2.3.4"),
        ScanError,
        "1.2.3.4",
    ),
    "invalid transfer syntax": (
        encode_as("1.2\n.Doe"),
        ScanError,
        "an unknown transfer syntax",
    ),
    "invalid modality": (assign("Modality", "DOE\nJOHN"), ScanError, "6 of unknown modality"),
    "localizers only": (
        assign("ImageType", ["ORIGINAL", "PRIMARY", "LOCALIZER"]),
        ScanError,
        "no image slices",
    ),
}


UNEVEN: dict[str, tuple[Edit, str]] = {
    "duplicate positions": (double, "6 duplicate slices"),
    "one shared position": (shift(2, 2, -2.5), "1 slice has the same position as another slice"),
    "a gap": (drop(3), "about 1 slice of the series seems to be missing"),
    "a gap of two": (drop(2, 3), "about 2 slices"),
    "two gaps": (drop(1, 4), "about 2 slices"),
    "three left, one missing": (drop(0, 1, 4), "about 1 slice"),
    "uneven by 0.2 mm": (shift(2, 2, 0.2), "unevenly spaced"),
    "tilt": (tilt, "gantry tilt of about 15.0 degrees"),
}


@pytest.mark.parametrize(("edit", "words"), UNEVEN.values(), ids=UNEVEN.keys())
def test_strict_reading_rejects_what_lenient_reading_repairs_with_a_warning(
    tmp_path: Path, edit: Edit, words: str
) -> None:
    folder = save(tmp_path / "series", edited(edit))
    with pytest.raises(ScanError, match=words) as caught:
        read_scan(folder, strict=True)
    assert "expected" in str(caught.value)
    text = " ".join(read_scan(folder).warnings)
    assert words.removeprefix("about ") in text


def test_strict_reading_lists_everything_that_is_wrong(tmp_path: Path) -> None:
    def edit(slices: list[Dataset]) -> None:
        shift(4, 2, 0.3)(slices)
        slices.append(slices[0])
        del slices[1]

    with pytest.raises(
        ScanError, match=r"1 duplicate slice; about 1 slice.*; the slices are uneven"
    ):
        read_scan(save(tmp_path, edited(edit)), strict=True)


@pytest.mark.parametrize(("edit", "kind", "words"), BAD.values(), ids=BAD.keys())
def test_an_invalid_series_raises_a_one_line_error_with_advice(
    tmp_path: Path, edit: Edit, kind: type[RmaMambaError], words: str
) -> None:
    folder = save(tmp_path / "series", edited(edit))
    with pytest.raises(kind) as caught:
        read_scan(folder)
    message = str(caught.value)
    assert words in message
    assert "\n" not in message
    assert "expected" in message
    for secret in (str(tmp_path), "Doe", "4711", SERIES):
        assert secret not in message


def test_a_single_slice_without_thickness_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(ScanError, match="single slice without SliceThickness"):
        read_scan(save(tmp_path, edited(remove("SliceThickness"), slices=1)))


def test_an_empty_folder_and_one_without_dicom_are_rejected(tmp_path: Path) -> None:
    with pytest.raises(ScanError, match="the folder is empty"):
        read_scan(tmp_path)
    (tmp_path / "notes.txt").write_text("no scan here\n")
    with pytest.raises(ScanError, match="no DICOM images"):
        read_scan(tmp_path)


@pytest.mark.parametrize("keep", [140, 200, 700])
def test_a_truncated_last_slice_is_not_dropped_silently(tmp_path: Path, keep: int) -> None:
    folder = save(tmp_path, series(), shuffled=False)
    last = folder / f"IM{SLICES - 1:04}"
    last.write_bytes(last.read_bytes()[:keep])
    with pytest.raises(ScanError, match="expected"):
        read_scan(folder, strict=True)
    (warning,) = read_scan(folder).warnings
    assert "1 DICOM image is truncated or corrupt" in warning


def test_truncating_a_slice_anywhere_raises_a_typed_error(tmp_path: Path) -> None:
    folder = save(tmp_path, series(slices=2), shuffled=False)
    content = (folder / "IM0001").read_bytes()
    for keep in range(132, len(content), 3):
        (folder / "IM0001").write_bytes(content[:keep])
        with pytest.raises(RmaMambaError):
            read_scan(folder)


@settings(max_examples=60, deadline=None)
@given(position=st.integers(132, 900), byte=st.integers(0, 255))
def test_a_corrupt_byte_never_raises_an_untyped_error(
    tmp_path_factory: pytest.TempPathFactory, position: int, byte: int
) -> None:
    folder = save(tmp_path_factory.mktemp("corrupt"), series(slices=2), shuffled=False)
    content = bytearray((folder / "IM0001").read_bytes())
    content[min(position, len(content) - 1)] = byte
    (folder / "IM0001").write_bytes(content)
    with contextlib.suppress(RmaMambaError):
        read_scan(folder)
