"""Usual NRRD and MetaImage files are read without ITK, and give exactly what ITK reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - the customary name

from rma_mamba.errors import ScanError
from rma_mamba.scans.itk_headers import read_header
from rma_mamba.scans.itk_plain import plain_image
from rma_mamba.scans.itk_process import open_image

ENDS = (".nrrd", ".nhdr", ".mha", ".mhd")
TYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")
OBLIQUE = (0.8, 0.6, 0.0, -0.6, 0.8, 0.0, 0.0, 0.0, -1.0)


def write(path: Path, dtype: str = "int16", packed: bool = False) -> Path:
    values = np.random.default_rng(0).integers(0, 100, (5, 4, 3)).astype(dtype)
    image = sitk.GetImageFromArray(values)
    image.SetSpacing((0.7, 1.3, 5.0))
    image.SetOrigin((-120.5, 33.25, 7.0))
    image.SetDirection(OBLIQUE)
    sitk.WriteImage(image, str(path), useCompression=packed)
    return path


def assert_as_itk_reads(path: Path) -> None:
    plain = plain_image(read_header(path))
    assert plain is not None
    voxels, affine = plain.read(1)
    with open_image(read_header(path)) as image:
        assert (plain.size, plain.bits) == (image.size, image.bits)
        expected, expected_affine = image.read(1)
    assert voxels.dtype == expected.dtype
    np.testing.assert_array_equal(voxels, expected)
    np.testing.assert_allclose(affine, expected_affine, atol=1e-12)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("end", ENDS)
def test_usual_files_are_read_as_itk_reads_them(tmp_path: Path, end: str, packed: bool) -> None:
    for dtype in TYPES:
        assert_as_itk_reads(write(tmp_path / f"{dtype}{end}", dtype, packed))


def replace_in(path: Path, before: bytes, after: bytes) -> None:
    content = path.read_bytes()
    assert before in content
    path.write_bytes(content.replace(before, after))


@pytest.mark.parametrize(
    ("end", "before", "after"),
    [
        (".nrrd", b"left-posterior-superior", b"right-anterior-superior"),
        (".nrrd", b"left-posterior-superior", b"left-anterior-superior"),
        (".nrrd", b"left-posterior-superior", b"LPS"),
        (".nrrd", b"type: short", b"type: int16"),
        (".nrrd", b"endian: little", b"endian: big"),
        (".mha", b"BinaryDataByteOrderMSB = False", b"BinaryDataByteOrderMSB = True"),
        (".mha", b"ElementType = MET_SHORT", b"ElementType = MET_USHORT"),
    ],
)
def test_variants_of_the_header_are_read_as_itk_reads_them(
    tmp_path: Path, end: str, before: bytes, after: bytes
) -> None:
    path = write(tmp_path / f"scan{end}")
    replace_in(path, before, after)
    assert_as_itk_reads(path)


@pytest.mark.parametrize(
    ("end", "before", "after"),
    [
        (".nrrd", b"encoding: raw", b"encoding: ascii"),
        (".nrrd", b"encoding: raw", b"encoding: raw\nbyte skip: 4"),
        (".nrrd", b"endian: little\n", b""),
        (".nrrd", b"space: left-posterior-superior", b"space: scanner-xyz"),
        (".nrrd", b"dimension: 3", b"dimension: 4"),
        (".nrrd", b"type: short", b"type: block"),
        (".nrrd", b"space origin: (-120.5,33.25,7)\n", b""),
        (".nrrd", b"space origin: (-120.5,33.25,7)", b"space origin: (-120.5,nan,7)"),
        (".mha", b"BinaryData = True", b"BinaryData = False"),
        (".mha", b"ElementSpacing = ", b"ElementSpacing = -"),
        (".mha", b"Offset =", b"Position ="),
        (".mha", b"NDims = 3", b"NDims = 3\nHeaderSize = 9"),
        (".mha", b"DimSize = 3 4 5", b"DimSize = 3 x 5"),
        (".mha", b"MET_SHORT", b"MET_SHORT_ARRAY"),
    ],
)
def test_anything_unusual_is_left_to_itk(
    tmp_path: Path, end: str, before: bytes, after: bytes
) -> None:
    path = write(tmp_path / f"scan{end}")
    assert plain_image(read_header(path)) is not None
    replace_in(path, before, after)
    assert plain_image(read_header(path)) is None


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("end", [".nrrd", ".mha"])
def test_missing_voxels_are_an_error(tmp_path: Path, end: str, packed: bool) -> None:
    path = write(tmp_path / f"scan{end}", packed=packed)
    path.write_bytes(path.read_bytes()[:-3])
    image = plain_image(read_header(path))
    assert image is not None
    with pytest.raises(ScanError, match="truncated or corrupt"):
        image.read(1)
