"""NRRD and MetaImage are read as SimpleITK reads them, unless their headers lie."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from hypothesis import given, settings
from hypothesis import strategies as st

from rma_mamba.errors import ConfigError, RmaMambaError, ScanError
from rma_mamba.inference.inputs import as_volume
from rma_mamba.scans import count_volumes, read_geometry, read_scan

SHAPE = (5, 4, 3)
TURN = nib.eulerangles.euler2mat(0.3, -0.2, 0.1)


def image_of(values: Any = None) -> Any:
    values = np.arange(60, dtype=np.int16).reshape(SHAPE[::-1]) - 20 if values is None else values
    image = sitk.GetImageFromArray(values)
    image.SetSpacing((1.2, 1.5, 5.0))
    image.SetOrigin((-90.0, 120.0, 40.0))
    image.SetDirection(TURN.ravel())
    return image


def written(path: Path, image: Any = None, *, packed: bool = False) -> Path:
    sitk.WriteImage(image_of() if image is None else image, str(path), useCompression=packed)
    return path


@pytest.mark.parametrize("end", [".nrrd", ".nhdr", ".mha", ".mhd"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_file_is_the_same_volume_as_the_image_in_memory(
    tmp_path: Path, end: str, packed: bool
) -> None:
    path = written(tmp_path / f"scan{end}", packed=packed)
    volume, expected = read_scan(path), as_volume(image_of())
    np.testing.assert_allclose(volume.geometry.affine, expected.geometry.affine, atol=1e-9)
    assert np.array_equal(volume.values, expected.values)
    assert (volume.values.dtype, volume.warnings) == (np.int16, ())
    assert read_geometry(path).matches(volume.geometry)


def test_the_format_is_detected_from_the_content_not_from_the_name(tmp_path: Path) -> None:
    path = written(tmp_path / "scan.nrrd").rename(tmp_path / "scan.nii.gz")
    assert read_scan(path).geometry.shape == SHAPE


@pytest.mark.parametrize("end", [".nrrd", ".mha"])
def test_volumes_of_a_4d_file_are_read_one_by_one(tmp_path: Path, end: str) -> None:
    values = np.arange(120, dtype=np.int16).reshape(2, *SHAPE[::-1])
    path = tmp_path / f"scan{end}"
    image = sitk.JoinSeries([image_of(part) for part in values])
    sitk.WriteImage(image, str(path))
    assert count_volumes(path) == 2
    with pytest.raises(ScanError, match="contains 2 volumes"):
        read_scan(path)
    with pytest.raises(ConfigError, match="expected 1 to 2"):
        read_scan(path, volume=3)
    for number in (1, 2):
        assert np.array_equal(read_scan(path, volume=number).values, values[number - 1].T)


def test_a_header_without_orientation_is_read_with_a_warning(tmp_path: Path) -> None:
    header = (
        b"NRRD0004\ntype: uchar\ndimension: 3\nsizes: 5 4 3\nspacings: 1 1 2\nencoding: raw\n\n"
    )
    (tmp_path / "a.nrrd").write_bytes(header + bytes(range(60)))
    volume = read_scan(tmp_path / "a.nrrd")
    assert any("no orientation" in line for line in volume.warnings)
    assert volume.geometry.spacing_mm == (1, 1, 2)


META = b"ObjectType = Image\nNDims = 3\nDimSize = %s\nElementType = %s\nElementDataFile = %s\n"
NRRD = b"NRRD0004\ntype: %s\ndimension: 3\nsizes: %s\nspace: LPS\nencoding: raw\n%s\n"

BAD: dict[str, tuple[str, bytes, str]] = {
    "data elsewhere": (".mhd", META % (b"5 4 3", b"MET_UCHAR", b"../secret.raw"), "another folder"),
    "data at a full path": (
        ".mhd",
        META % (b"5 4 3", b"MET_UCHAR", b"/etc/passwd"),
        "another folder",
    ),
    "a list of data files": (".mhd", META % (b"5 4 3", b"MET_UCHAR", b"LIST"), "another folder"),
    "data that are gone": (".mhd", META % (b"5 4 3", b"MET_UCHAR", b"Doe.raw"), "is missing"),
    "truncated data": (".mha", META % (b"5 4 3", b"MET_UCHAR", b"LOCAL") + bytes(9), "truncated"),
    "terabytes": (".mha", META % (b"9999 9999 9999", b"MET_SHORT", b"LOCAL"), "declares"),
    "more than it holds": (
        ".mha",
        META % (b"999 999 99", b"MET_SHORT", b"LOCAL"),
        "header is wrong",
    ),
    "a negative size": (
        ".mha",
        META % (b"5 -4 3", b"MET_SHORT", b"LOCAL") + bytes(200),
        "expected",
    ),
    "an unknown type": (".mha", META % (b"5 4 3", b"MET_NONE", b"LOCAL") + bytes(200), "corrupt"),
    "no size": (
        ".mha",
        b"NDims = 3\nElementType = MET_UCHAR\nElementDataFile = LOCAL\n",
        "corrupt",
    ),
    "nrrd elsewhere": (
        ".nhdr",
        NRRD % (b"short", b"5 4 3", b"data file: /etc/passwd\n"),
        "another folder",
    ),
    "nrrd in pieces": (
        ".nhdr",
        NRRD % (b"short", b"5 4 3", b"data file: s%d.raw 1 9\n"),
        "another folder",
    ),
    "truncated NRRD": (".nrrd", NRRD % (b"short", b"5 4 3", b"") + bytes(9), "truncated"),
    "nrrd terabytes": (".nrrd", NRRD % (b"short", b"9999 9999 9999", b"") + bytes(9), "expected"),
    "nrrd of blocks": (".nrrd", NRRD % (b"block", b"5 4 3", b"") + bytes(99), "corrupt"),
    "nrrd and no more": (".nrrd", b"NRRD0004\n", "corrupt"),
}


@pytest.mark.parametrize(("end", "content", "words"), BAD.values(), ids=BAD.keys())
def test_an_invalid_file_raises_a_one_line_error_with_advice(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    end: str,
    content: bytes,
    words: str,
) -> None:
    path = tmp_path / f"Doe{end}"
    path.write_bytes(content)
    with pytest.raises(RmaMambaError) as caught:
        read_scan(path)
    message = str(caught.value)
    assert words in message
    assert "expected" in message
    assert "\n" not in message
    assert not any(secret in message for secret in ("Doe", "/etc", str(tmp_path)))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("axes", ["99999999", "11", "-1", "x", "9" * 5000, "3\nNDims = 99999999"])
def test_an_implausible_number_of_axes_does_not_crash_the_process(
    tmp_path: Path, axes: str
) -> None:
    path = written(tmp_path / "scan.mha")
    path.write_bytes(path.read_bytes().replace(b"NDims = 3", b"NDims = " + axes.encode()))
    with pytest.raises(ScanError, match="truncated or corrupt"):
        read_scan(path)


@pytest.mark.parametrize("end", [".nrrd", ".mha", ".mhd"])
def test_corrupt_compressed_voxels_are_rejected(tmp_path: Path, end: str) -> None:
    values = np.random.default_rng(0).integers(0, 1000, (30, 20, 10)).astype(np.int16)
    path = written(tmp_path / f"scan{end}", image_of(values), packed=True)
    packed = path.with_suffix(".zraw") if end == ".mhd" else path
    content = bytearray(packed.read_bytes())
    assert read_scan(path).geometry.shape == (10, 20, 30)
    content[len(content) // 2] ^= 0xFF
    packed.write_bytes(bytes(content))
    with pytest.raises(ScanError, match="truncated or corrupt"):
        read_scan(path)


def test_uncompressed_voxels_declared_as_compressed_are_rejected(tmp_path: Path) -> None:
    path = written(tmp_path / "scan.mha")
    content = path.read_bytes()
    path.write_bytes(content.replace(b"CompressedData = False", b"CompressedData = True"))
    with pytest.raises(ScanError, match="truncated or corrupt"):
        read_scan(path)


def test_colour_is_rejected(tmp_path: Path) -> None:
    image = sitk.GetImageFromArray(np.zeros((3, 4, 5, 3), np.uint8), isVector=True)
    with pytest.raises(ScanError, match="3 components per voxel"):
        read_scan(written(tmp_path / "a.mha", image))


@settings(max_examples=60, deadline=None)
@given(
    end=st.sampled_from([".nrrd", ".mha"]),
    position=st.integers(0, 500),
    junk=st.binary(min_size=1, max_size=4),
)
def test_a_corrupt_header_never_raises_an_untyped_error(
    tmp_path_factory: pytest.TempPathFactory, end: str, position: int, junk: bytes
) -> None:
    path = written(tmp_path_factory.mktemp("corrupt") / f"a{end}")
    content = bytearray(path.read_bytes())
    content[position : position + len(junk)] = junk
    path.write_bytes(content)
    with contextlib.suppress(RmaMambaError):
        read_scan(path)


# --- voxel size and unit --------------------------------------------------------------------------

RAW = np.arange(60, dtype="<i2").tobytes()
SPACE = "space: left-posterior-superior"
VECTORS = ("(1.2,0,0)", "(0,1.5,0)", "(0,0,5)")


def nrrd(path: Path, *lines: str) -> Path:
    head = ["NRRD0004", "type: short", "dimension: 3", "sizes: 5 4 3", "endian: little", *lines]
    path.write_bytes("\n".join([*head, "encoding: raw", "", ""]).encode() + RAW)
    return path


def meta(path: Path, *lines: str) -> Path:
    head = ["ObjectType = Image", "NDims = 3", "BinaryData = True", "DimSize = 5 4 3", *lines]
    end = ["TransformMatrix = 1 0 0 0 1 0 0 0 1", "ElementType = MET_SHORT"]
    path.write_bytes("\n".join([*head, *end, "ElementDataFile = LOCAL", ""]).encode() + RAW)
    return path


MISSING: dict[str, Any] = {
    "nrrd": (nrrd, SPACE),
    "nrrd, not a number": (nrrd, SPACE, "spacings: nan nan nan"),
    "nrrd, no directions": (nrrd, SPACE, "space directions: none none none"),
    "nrrd, one direction missing": (nrrd, SPACE, f"space directions: {' '.join(VECTORS[:2])} none"),
    "nrrd, one number missing": (nrrd, "spacings: 1.2 1.5 nan"),
    "nrrd, in a remark": (nrrd, SPACE, "spacings:=1.2 1.5 5", "# spacings: 1.2 1.5 5"),
    "nrrd, thicknesses only": (nrrd, SPACE, "thicknesses: 1.2 1.5 5"),
    "meta": (meta,),
    "meta, another name": (meta, "elementspacing = 1.2 1.5 5"),
    "meta, in a comment": (meta, "Comment = ElementSpacing = 1.2 1.5 5"),
}


@pytest.mark.parametrize("case", MISSING.values(), ids=MISSING.keys())
def test_a_header_without_voxel_size_is_read_with_a_warning(tmp_path: Path, case: Any) -> None:
    write, *lines = case
    volume = read_scan(write(tmp_path / "scan", *lines))
    assert 1.0 in volume.geometry.spacing_mm
    assert "does not define the voxel size" in volume.warnings[0]
    assert "not reliable" in volume.warnings[0]


PRESENT: dict[str, Any] = {
    "nrrd": (nrrd, SPACE, f"space directions: {' '.join(VECTORS)}"),
    "nrrd, unit": (
        nrrd,
        SPACE,
        f"space directions: {' '.join(VECTORS)}",
        'space units: "mm" "mm" "mm"',
    ),
    "meta": (meta, "ElementSpacing = 1.2 1.5 5"),
    "meta, size": (meta, "ElementSize = 1.2 1.5 5", "DistanceUnits = mm"),
}


@pytest.mark.parametrize("case", PRESENT.values(), ids=PRESENT.keys())
def test_a_header_with_voxel_size_is_read_without_a_warning(tmp_path: Path, case: Any) -> None:
    write, *lines = case
    volume = read_scan(write(tmp_path / "scan", *lines))
    assert volume.geometry.spacing_mm == pytest.approx((1.2, 1.5, 5))
    assert volume.warnings == ()


@pytest.mark.parametrize(
    "case",
    [
        (nrrd, "spacings: 0 0 0"),
        (nrrd, SPACE, "space directions: (0,0,0) (0,0,0) (0,0,0)"),
        (meta, "ElementSpacing = 0 0 0"),
        (meta, "ElementSpacing = nan nan nan"),
        (meta, "ElementSpacing = 1.2"),
    ],
)
def test_a_voxel_size_that_is_not_positive_is_an_error(tmp_path: Path, case: Any) -> None:
    write, *lines = case
    with pytest.raises(ScanError, match="its header is wrong"):
        read_scan(write(tmp_path / "scan", *lines))


@pytest.mark.parametrize(
    "case",
    [
        (nrrd, SPACE, f"space directions: {' '.join(VECTORS)}", 'space units: "cm" "cm" "cm"'),
        (nrrd, "spacings: 1.2 1.5 5", 'units: "m" "m" "m"'),
        (meta, "ElementSpacing = 1.2 1.5 5", "DistanceUnits = um"),
    ],
)
def test_another_unit_than_mm_is_a_warning(tmp_path: Path, case: Any) -> None:
    write, *lines = case
    assert "unit of length other than mm" in read_scan(write(tmp_path / "scan", *lines)).warnings[0]
