"""NIfTI in and out: geometry bit for bit, lean values, and one clear line for every bad file."""

from __future__ import annotations

import contextlib
import gzip
import itertools
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rma_mamba.errors import ConfigError, GridError, RmaMambaError, ScanError
from rma_mamba.scans import (
    count_volumes,
    nifti,
    nifti_grid,
    read_geometry,
    read_scan,
    stream,
    write_mask,
    write_scan,
)
from rma_mamba.scans.checks import MAX_VOXELS
from rma_mamba.volume import Geometry, Mask, Volume

AFFINE = np.array([[-1.2, 0.1, 0, 90], [0.08, 1.5, 0.2, -120], [0, -0.3, 5, 40], [0, 0, 0, 1.0]])
OBLIQUE = nib.affines.from_matvec(
    nib.eulerangles.euler2mat(0.3, -0.2, 0.1) * [1.2, 1.5, 5], [90, -120, 40]
)
SHAPE = (5, 4, 3)
RAMP = np.arange(60, dtype=np.int16).reshape(SHAPE) - 20

# What a mask keeps of its scan's header.
KEPT = ("pixdim", "xyzt_units", "qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d")
KEPT += ("qoffset_x", "qoffset_y", "qoffset_z", "srow_x", "srow_y", "srow_z")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all examples of a property; each overwrites the file of the one before."""
    return tmp_path_factory.mktemp("property")


def image_of(values: Any = RAMP, affine: Any = OBLIQUE, version: int = 1) -> Any:
    return (nib.Nifti1Image if version == 1 else nib.Nifti2Image)(values, affine)


def content_of(image: Any = None, **fields: Any) -> bytes:
    """The bytes of a .nii file whose header fields were overwritten, however wrong."""
    content = bytearray((image_of() if image is None else image).to_bytes())
    kind = nib.Nifti1Header if image is None else type(image).header_class
    size = int(kind()["sizeof_hdr"])
    header = kind(bytes(content[:size]), check=False)
    for name, value in fields.items():
        header[name] = value
    return header.binaryblock + bytes(content[size:])


def patched(**fields: Any) -> bytes:
    return content_of(None, **fields)


def save(folder: Path, content: bytes, name: str = "scan.nii") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def mask_of(volume: Volume, labels: Any = None) -> Mask:
    labels = (volume.values > volume.values.mean()) if labels is None else labels
    return Mask(labels.astype(np.uint8), volume.geometry, volume.header)


# --- geometry ------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", [".nii", ".nii.gz"])
@pytest.mark.parametrize("version", [1, 2])
def test_a_scan_is_read_as_nibabel_reads_it(tmp_path: Path, version: int, end: str) -> None:
    image = image_of(affine=AFFINE, version=version)
    nib.save(image, tmp_path / f"scan{end}")
    volume = read_scan(tmp_path / f"scan{end}")
    assert np.array_equal(volume.geometry.affine, nib.load(tmp_path / f"scan{end}").affine)
    assert np.array_equal(volume.values, RAMP)
    assert volume.values.dtype == np.int16
    assert volume.modality is None


@pytest.mark.parametrize("codes", list(itertools.product((0, 1, 2, 3, 4), (0, 1, 2))))
@pytest.mark.parametrize("version", [1, 2])
def test_the_mask_keeps_the_grid_bit_for_bit(
    tmp_path: Path, version: int, codes: tuple[int, int]
) -> None:
    image = image_of(version=version)
    image.set_sform(AFFINE, codes[0])
    image.set_qform(OBLIQUE, codes[1])
    image.header.set_xyzt_units("mm", "sec")
    nib.save(image, tmp_path / "scan.nii.gz")
    volume = read_scan(tmp_path / "scan.nii.gz")
    write_mask(mask_of(volume), tmp_path / "mask.nii.gz")
    scan, mask = nib.load(tmp_path / "scan.nii.gz"), nib.load(tmp_path / "mask.nii.gz")
    for name in KEPT:
        assert scan.header[name].tobytes() == mask.header[name].tobytes(), name
    assert type(mask) is type(scan)
    assert np.array_equal(mask.affine, scan.affine)
    np.testing.assert_allclose(volume.geometry.affine, scan.affine, rtol=0, atol=1e-5)
    assert np.array_equal(np.asarray(mask.dataobj), mask_of(volume).labels)
    assert read_scan(tmp_path / "mask.nii.gz").geometry.matches(volume.geometry, 0)


def test_the_mask_is_uint8_unscaled_with_a_label_intent_and_no_foreign_text(tmp_path: Path) -> None:
    image = image_of()
    for name in ("descrip", "aux_file", "db_name", "intent_name"):
        image.header[name] = b"DOE JOHN"
    nib.save(image, tmp_path / "scan.nii")
    write_mask(mask_of(read_scan(tmp_path / "scan.nii")), tmp_path / "mask.nii")
    content = (tmp_path / "mask.nii").read_bytes()
    assert b"DOE" not in content
    header = nib.Nifti1Header(content[:348])
    assert header.get_data_dtype() == np.uint8
    assert (header["scl_slope"], header["scl_inter"]) == (1, 0)
    assert header.get_intent()[0] == "label"
    assert header.get_data_shape() == SHAPE
    assert len(content) == 352 + RAMP.size


def test_sform_wins_over_qform_and_the_contradiction_is_said(tmp_path: Path) -> None:
    image = image_of()
    image.set_sform(np.diag([2, 2, 2, 1]), 1)
    image.set_qform(np.diag([3, 2, 2, 1]), 1)
    volume = read_scan(save(tmp_path, image.to_bytes()))
    assert volume.geometry.spacing_mm == (2, 2, 2)
    assert any("qform in the header contradicts" in line for line in volume.warnings)


def test_agreeing_forms_give_no_warning(tmp_path: Path) -> None:
    image = image_of()
    image.set_sform(OBLIQUE, 1)
    image.set_qform(OBLIQUE, 1)
    assert read_scan(save(tmp_path, image.to_bytes())).warnings == ()


def test_qform_counts_where_the_sform_is_unset_or_empty(tmp_path: Path) -> None:
    image = image_of()
    image.set_sform(None, 0)
    image.set_qform(OBLIQUE, 1)
    unset = read_scan(save(tmp_path, image.to_bytes()))
    rows = dict.fromkeys(("srow_x", "srow_y", "srow_z"), 0)
    empty = read_scan(save(tmp_path, content_of(image, sform_code=1, **rows)))
    for volume in (unset, empty):
        np.testing.assert_allclose(volume.geometry.affine, OBLIQUE, rtol=0, atol=1e-4)
    assert unset.warnings == ()
    assert any("sform in the header is empty" in line for line in empty.warnings)


@given(
    angles=st.tuples(*[st.floats(-3.2, 3.2)] * 3),
    spacing=st.tuples(*[st.floats(0.3, 8)] * 3),
    mirrored=st.booleans(),
)
def test_qform_is_read_as_nibabel_reads_it(
    angles: tuple[float, ...], spacing: tuple[float, ...], mirrored: bool
) -> None:
    affine = nib.affines.from_matvec(nib.eulerangles.euler2mat(*angles) * spacing, [1, 2, 3])
    affine[:3, 2] *= -1 if mirrored else 1
    header = nib.Nifti1Header()
    header.set_data_shape(SHAPE)
    header.set_qform(affine, 1)
    geometry, _ = nifti_grid.grid_geometry(nifti_grid.GridHeader.of(header, SHAPE))
    np.testing.assert_allclose(geometry.affine, header.get_qform(), rtol=0, atol=1e-5)


@given(
    angles=st.tuples(*[st.sampled_from([0.0, 0.3, -1.0, np.pi / 2, np.pi, 3.0])] * 3),
    mirrored=st.booleans(),
)
def test_a_fresh_header_says_the_same_in_sform_and_qform(
    angles: tuple[float, ...], mirrored: bool
) -> None:
    affine = nib.affines.from_matvec(nib.eulerangles.euler2mat(*angles) * [0.8, 1, 4], [9, 8, 7])
    affine[:3, 2] *= -1 if mirrored else 1
    grid = nifti_grid.grid_from_geometry(Geometry(SHAPE, affine))
    located, warnings = nifti_grid.grid_geometry(grid)
    np.testing.assert_allclose(located.affine, affine, rtol=0, atol=1e-5)
    assert warnings == ()


def test_without_a_code_the_voxel_sizes_count_and_the_guess_is_said(tmp_path: Path) -> None:
    image = nib.Nifti1Image(RAMP, None)
    image.header.set_zooms((1.5, 2, 5))
    path = save(tmp_path, image.to_bytes())
    volume = read_scan(path)
    assert volume.geometry.spacing_mm == (1.5, 2, 5)
    assert np.array_equal(volume.geometry.affine, nib.load(path).affine)
    assert any("left and right may be swapped" in line for line in volume.warnings)


@pytest.mark.parametrize(("unit", "factor"), [("meter", 1000), ("micron", 0.001), ("mm", 1)])
def test_units_of_length_are_respected(tmp_path: Path, unit: str, factor: float) -> None:
    image = image_of(affine=np.diag([1.5 / factor, 2 / factor, 5 / factor, 1]))
    image.header.set_xyzt_units(unit)
    nib.save(image, tmp_path / "scan.nii")
    volume = read_scan(tmp_path / "scan.nii")
    np.testing.assert_allclose(volume.geometry.spacing_mm, (1.5, 2, 5), rtol=1e-6)
    assert volume.warnings == ()
    write_mask(mask_of(volume), tmp_path / "mask.nii")
    mask = nib.load(tmp_path / "mask.nii")
    assert mask.header.get_xyzt_units()[0] == unit
    assert np.array_equal(mask.affine, image.affine.astype(np.float32))


def test_doubtful_headers_are_read_with_a_warning(tmp_path: Path) -> None:
    def warnings(**fields: Any) -> str:
        return " ".join(read_scan(save(tmp_path, patched(**fields))).warnings)

    assert "pixdim in the header contradicts" in warnings(pixdim=[1, 2.4, 1.5, 5, 0, 0, 0, 0])
    assert "pixdim in the header contradicts" in warnings(pixdim=[1, np.nan, 0, 5, 0, 0, 0, 0])
    assert "spatial unit in the header is unknown" in warnings(xyzt_units=5)
    assert "implausible" in warnings(xyzt_units=1)
    assert "not perpendicular" in warnings(srow_x=[-1.2, 0.5, 0, 90])
    assert warnings() == ""


# --- values --------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("code", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"])
def test_every_real_type_in_both_byte_orders_is_read(tmp_path: Path, code: str, order: str) -> None:
    values = (np.arange(60) * 2).reshape(SHAPE).astype(code)
    header = nib.Nifti1Header(endianness=order)
    header.set_data_dtype(np.dtype(code).newbyteorder(order))
    image = nib.Nifti1Image(values, OBLIQUE, header)
    volume = read_scan(save(tmp_path, image.to_bytes()))
    assert np.array_equal(volume.values, values)
    assert volume.values.dtype == {"u1": np.uint8, "f4": np.float32, "f8": np.float32}.get(
        code, np.int16
    )
    assert volume.values.dtype.isnative
    np.testing.assert_allclose(volume.geometry.affine, OBLIQUE, rtol=1e-6)


@given(
    values=arrays(np.int16, SHAPE),
    slope=st.sampled_from([0, np.nan, np.inf, 1, 2, 0.5, -1, 1e-3]),
    intercept=st.sampled_from([0, -1024, 0.25]),
)
def test_scaling_follows_the_standard(
    folder: Path, values: Any, slope: float, intercept: float
) -> None:
    content = content_of(image_of(values), scl_slope=slope, scl_inter=intercept)
    volume = read_scan(save(folder, content))
    scaled = slope not in (0, np.inf) and not np.isnan(slope)
    slope32, intercept32 = np.float64(np.float32(slope)), float(intercept)
    expected = values * slope32 + intercept32 if scaled else values
    np.testing.assert_allclose(volume.values, expected, rtol=1e-6, atol=1e-6)
    assert volume.values.dtype in (np.int16, np.float32)


@pytest.mark.parametrize("end", [-32769, 32768])
def test_whole_numbers_that_int16_cannot_hold_become_float32(tmp_path: Path, end: int) -> None:
    values = RAMP.astype(np.int32)
    values[0, 0, 0] = end
    volume = read_scan(save(tmp_path, image_of(values).to_bytes()))
    assert volume.values.dtype == np.float32
    assert np.array_equal(volume.values, values)


def test_voxels_that_are_no_numbers_get_the_lowest_value_and_a_warning(tmp_path: Path) -> None:
    values = RAMP.astype(np.float32)
    values[0, 0, 0], values[1, 1, 1], values[2, 2, 2] = np.nan, np.inf, -np.inf
    lowest = values[np.isfinite(values)].min()
    volume = read_scan(save(tmp_path, image_of(values).to_bytes()))
    assert [volume.values[i, i, i] for i in range(3)] == [lowest] * 3
    assert np.isfinite(volume.values).all()
    assert any(line.startswith("3 voxels were not finite") for line in volume.warnings)


def test_values_beyond_single_precision_count_as_infinite(tmp_path: Path) -> None:
    values = RAMP.astype(np.float64)
    values[0, 0, 0], values[0, 0, 1] = 1e300, 1e30
    volume = read_scan(save(tmp_path, image_of(values).to_bytes()))
    assert volume.values[0, 0, 0] == values[np.isfinite(values)].min()
    assert volume.values[0, 0, 1] == np.float32(1e30)


def test_a_constant_scan_is_read_with_a_warning(tmp_path: Path) -> None:
    volume = read_scan(save(tmp_path, image_of(np.zeros(SHAPE, np.uint8)).to_bytes()))
    assert any("same value" in line for line in volume.warnings)


# --- containers ----------------------------------------------------------------------------------


def test_the_content_decides_and_not_the_name(tmp_path: Path) -> None:
    packed = save(tmp_path, gzip.compress(patched()), "packed.nii")
    plain = save(tmp_path, patched(), "plain.nii.gz")
    unnamed = save(tmp_path, patched(), "Ünïcode 肝臓 without an ending")
    for path in (packed, plain, unnamed):
        assert np.array_equal(read_scan(path).values, RAMP)


@pytest.mark.parametrize("given_end", [".hdr", ".img"])
def test_a_pair_is_read_by_either_name(tmp_path: Path, given_end: str) -> None:
    nib.save(nib.Nifti1Pair(RAMP, OBLIQUE), tmp_path / "scan.img")
    volume = read_scan(tmp_path / f"scan{given_end}")
    assert np.array_equal(volume.values, RAMP)
    write_mask(mask_of(volume), tmp_path / "mask.nii")
    assert np.array_equal(nib.load(tmp_path / "mask.nii").affine, OBLIQUE.astype(np.float32))


def test_a_4d_file_with_one_volume_is_a_scan(tmp_path: Path) -> None:
    volume = read_scan(save(tmp_path, image_of(RAMP[..., None]).to_bytes()))
    assert np.array_equal(volume.values, RAMP)
    write_mask(mask_of(volume), tmp_path / "mask.nii")
    assert nib.load(tmp_path / "mask.nii").shape == SHAPE


@pytest.mark.parametrize("end", [".nii", ".nii.gz"])
def test_each_volume_of_a_4d_file_is_read_by_its_number(tmp_path: Path, end: str) -> None:
    values = np.arange(180, dtype=np.int16).reshape(*SHAPE, 3)
    nib.save(nib.Nifti1Image(values, OBLIQUE), tmp_path / f"scan{end}")
    assert count_volumes(tmp_path / f"scan{end}") == 3
    for number in (1, 2, 3):
        volume = read_scan(tmp_path / f"scan{end}", volume=number)
        assert np.array_equal(volume.values, values[..., number - 1])
        write_mask(mask_of(volume), tmp_path / "mask.nii")
        assert nib.load(tmp_path / "mask.nii").shape == SHAPE
    for number in (0, 4):
        with pytest.raises(ConfigError, match="expected 1 to 3"):
            read_scan(tmp_path / f"scan{end}", volume=number)
    with pytest.raises(ScanError, match="contains 3 volumes"):
        read_geometry(tmp_path / f"scan{end}")


@pytest.mark.parametrize("given_end", [".hdr", ".img"])
def test_an_analyze_pair_is_read_with_a_word_on_left_and_right(
    tmp_path: Path, given_end: str
) -> None:
    image = nib.AnalyzeImage(RAMP, np.diag([1.2, 1.5, 5, 1]))
    nib.save(image, tmp_path / "scan.img")
    content = bytearray((tmp_path / "scan.hdr").read_bytes())
    content[148:228] = b"Doe John".ljust(80, b"x")  # free text, where NIfTI has other fields
    content[253:300] = b"7" * 47
    (tmp_path / "scan.hdr").write_bytes(content)
    volume = read_scan(tmp_path / f"scan{given_end}")
    assert np.array_equal(volume.values, RAMP)
    np.testing.assert_allclose(volume.geometry.spacing_mm, (1.2, 1.5, 5), rtol=1e-6)
    assert volume.warnings == ("The header defines no orientation: left and right may be swapped.",)
    write_mask(mask_of(volume), tmp_path / "mask.nii")
    assert b"Doe" not in (tmp_path / "mask.nii").read_bytes()


def test_header_extensions_are_passed_over(tmp_path: Path) -> None:
    image = image_of()
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"x" * 5000))
    assert np.array_equal(read_scan(save(tmp_path, image.to_bytes())).values, RAMP)


def test_an_offset_of_zero_means_right_after_the_header(tmp_path: Path) -> None:
    assert np.array_equal(read_scan(save(tmp_path, patched(vox_offset=0))).values, RAMP)


# --- refusals ------------------------------------------------------------------------------------


def nan_image() -> Any:
    return image_of(np.full(SHAPE, np.nan, np.float32))


def typed_image(dtype: Any) -> Any:
    return image_of(np.zeros(SHAPE, dtype))


RGB = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
QFORM_ONLY = {"sform_code": 0, "qform_code": 1}

BAD_FILES: dict[str, tuple[Callable[[], bytes], type[RmaMambaError], str]] = {
    "empty": (lambda: b"", ScanError, "empty"),
    "empty gzip": (lambda: gzip.compress(b""), ScanError, "empty"),
    "one byte": (lambda: b"\x00", ScanError, "unknown format"),
    "text": (lambda: b"patient;liver\nJohn Doe;yes\n", ScanError, "text file"),
    "long text": (lambda: "täxt\n".encode() * 500, ScanError, "text file"),
    "noise": (lambda: bytes(range(256)) * 4, ScanError, "unknown format"),
    "dicom file": (lambda: bytes(128) + b"DICM" + bytes(400), ScanError, "truncated or corrupt"),
    "picture": (lambda: b"\x89PNG\r\n\x1a\n" + bytes(400), ScanError, "an image file is truncated"),
    "zip": (lambda: b"PK\x03\x04" + bytes(400), ScanError, "zip archive"),
    "truncated header": (lambda: patched()[:200], ScanError, "truncated after 200 bytes"),
    "truncated header 2": (
        lambda: image_of(version=2).to_bytes()[:400],
        ScanError,
        "truncated after 400 bytes",
    ),
    "header only": (lambda: patched()[:348], ScanError, "are truncated"),
    "one byte short": (lambda: patched()[:-1], ScanError, "are truncated"),
    "one byte short, gzip": (lambda: gzip.compress(patched()[:-1]), ScanError, "are truncated"),
    "gzip cut": (lambda: gzip.compress(patched())[:-40], ScanError, "truncated or corrupt"),
    "gzip cut in its trailer": (
        lambda: gzip.compress(patched())[:-3],
        ScanError,
        "truncated or corrupt",
    ),
    "gzip with a wrong checksum": (
        lambda: gzip.compress(patched())[:-8] + bytes(8),
        ScanError,
        "truncated or corrupt",
    ),
    "gzip of noise": (lambda: b"\x1f\x8b" + bytes(50), ScanError, "truncated or corrupt"),
    "analyze": (lambda: patched(magic=b"\0"), ScanError, "no magic string"),
    "lone header of a pair": (lambda: patched(magic=b"ni1"), ScanError, "pair"),
    "dim[0] 0": (lambda: patched(dim=[0, 5, 4, 3, 1, 1, 1, 1]), ScanError, "dimensions"),
    "dim[0] 8": (lambda: patched(dim=[8, 5, 4, 3, 1, 1, 1, 1]), ScanError, "dimensions"),
    "dim[0] -3": (lambda: patched(dim=[-3, 5, 4, 3, 1, 1, 1, 1]), ScanError, "dimensions"),
    "a dim of 0": (lambda: patched(dim=[3, 5, 0, 3, 1, 1, 1, 1]), ScanError, "positive"),
    "a dim of -4": (lambda: patched(dim=[3, 5, -4, 3, 1, 1, 1, 1]), ScanError, "positive"),
    "a line": (lambda: patched(dim=[3, 60, 1, 1, 1, 1, 1, 1]), ScanError, "60 x 1 x 1"),
    "2-D": (lambda: patched(dim=[2, 5, 4, 1, 1, 1, 1, 1]), ScanError, "2-D"),
    "4-D": (lambda: image_of(np.zeros((5, 4, 3, 2))).to_bytes(), ScanError, "2 volumes"),
    "5-D": (lambda: patched(dim=[5, 5, 4, 1, 1, 3, 1, 1]), ScanError, "3 volumes"),
    "huge": (lambda: patched(dim=[3, 32767, 32767, 32767, 1, 1, 1, 1]), ScanError, "declares"),
    "bomb": (
        lambda: gzip.compress(patched(dim=[3, 1024, 1024, 1024, 1, 1, 1, 1])),
        ScanError,
        "are truncated",
    ),
    "offset past the end": (lambda: patched(vox_offset=4000), ScanError, "are truncated"),
    "offset of terabytes": (lambda: patched(vox_offset=1e12), ScanError, "starts at byte"),
    "offset within the header": (lambda: patched(vox_offset=100), ScanError, "starts at byte"),
    "negative offset": (lambda: patched(vox_offset=-352), ScanError, "starts at byte"),
    "offset NaN": (lambda: patched(vox_offset=np.nan), ScanError, "starts at byte"),
    "complex": (lambda: typed_image(np.complex64).to_bytes(), ScanError, "complex64"),
    "RGB": (lambda: typed_image(RGB).to_bytes(), ScanError, "RGB"),
    "float128": (lambda: patched(datatype=1536), ScanError, "float128"),
    "no type": (lambda: patched(datatype=0), ScanError, "code 0"),
    "all NaN": (lambda: nan_image().to_bytes(), ScanError, "no voxel"),
    "intercept NaN": (lambda: patched(scl_slope=2, scl_inter=np.nan), ScanError, "scl_inter"),
    "affine NaN": (lambda: patched(srow_x=[np.nan, 0, 0, 0]), GridError, "finite"),
    "affine infinite": (lambda: patched(srow_z=[0, 0, 5, np.inf]), GridError, "finite"),
    "affine flat": (lambda: patched(srow_z=[0, 0, 0, 7]), GridError, "span no volume"),
    "pixdim 0": (
        lambda: patched(**QFORM_ONLY, pixdim=[1, 0, 1, 1, 0, 0, 0, 0]),
        GridError,
        "pixdim",
    ),
    "pixdim NaN": (
        lambda: patched(**QFORM_ONLY, pixdim=[1, 1, np.nan, 1, 0, 0, 0, 0]),
        GridError,
        "pixdim",
    ),
    "pixdim infinite": (
        lambda: patched(sform_code=0, qform_code=0, pixdim=[1, 1, 1, np.inf, 0, 0, 0, 0]),
        GridError,
        "pixdim",
    ),
    "quaternion too long": (
        lambda: patched(**QFORM_ONLY, quatern_b=1.5),
        GridError,
        "not a rotation",
    ),
    "quaternion NaN": (
        lambda: patched(**QFORM_ONLY, quatern_c=np.nan),
        GridError,
        "not a rotation",
    ),
    "qoffset NaN": (lambda: patched(**QFORM_ONLY, qoffset_x=np.nan), GridError, "finite"),
}


@pytest.mark.parametrize(("make", "kind", "words"), BAD_FILES.values(), ids=BAD_FILES.keys())
@pytest.mark.parametrize("name", ["scan.nii", "scan.nii.gz"])
def test_a_bad_file_gets_one_line_that_says_what_to_do(
    tmp_path: Path, name: str, make: Callable[[], bytes], kind: type[RmaMambaError], words: str
) -> None:
    path = save(tmp_path, make(), name)
    with pytest.raises(kind) as caught:
        read_scan(path)
    message = str(caught.value)
    assert words in message
    assert_helpful(message)
    assert str(tmp_path) not in message
    assert "Doe" not in message


def assert_helpful(message: str) -> None:
    """One line: what was found, what was expected, and a sentence on what to do."""
    assert "\n" not in message
    assert "expected" in message
    assert message.endswith(".")
    assert message.split(". ")[-1][0].isupper()
    assert len(message.split(". ")) >= 2


def test_the_helpful_check_can_fail() -> None:
    with pytest.raises(AssertionError):
        assert_helpful("could not read file")


@settings(max_examples=150)
@given(
    version=st.sampled_from([1, 2]),
    position=st.integers(0, 543),
    junk=st.binary(min_size=1, max_size=8) | st.sampled_from([b"\xff" * 8, bytes(8)]),
)
def test_no_damaged_header_ends_in_an_untyped_error_or_a_warning(
    folder: Path, version: int, position: int, junk: bytes
) -> None:
    content = bytearray(image_of(version=version).to_bytes())
    content[position : position + len(junk)] = junk
    with contextlib.suppress(RmaMambaError):
        volume = read_scan(save(folder, bytes(content)))
        labels = np.zeros(volume.geometry.shape)
        write_mask(mask_of(volume, labels), folder / "mask.nii")
        assert read_scan(folder / "mask.nii").geometry.matches(volume.geometry, 0)


def test_a_signalling_nan_is_judged_without_a_numpy_warning(tmp_path: Path) -> None:
    content = bytearray(patched())
    content[280:284] = b"\x01\x00\xa0\x7f"  # srow_x[0]
    with pytest.raises(GridError, match="finite"):
        read_scan(save(tmp_path, bytes(content)))


def test_missing_paths_and_lone_files_of_a_pair_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ScanError, match="the scan does not exist"):
        read_scan(tmp_path / "nowhere.nii.gz")
    with pytest.raises(ScanError, match="cannot be opened"):
        read_scan(tmp_path / ("x" * 300))
    nib.save(nib.Nifti1Pair(RAMP, OBLIQUE), tmp_path / "scan.img")
    (tmp_path / "scan.img").rename(tmp_path / "other.img")
    for name in ("scan.hdr", "other.img"):
        with pytest.raises(ScanError, match="pair"):
            read_scan(tmp_path / name)


def test_the_voxel_cap_is_above_a_whole_body_ct_and_below_memory() -> None:
    assert 512 * 512 * 2000 < MAX_VOXELS <= 2**30


def test_a_claim_that_cannot_be_true_is_refused_before_memory_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nifti, "read_exactly", None)
    header = patched(dim=[3, 1000, 1000, 900, 1, 1, 1, 1])
    path = save(tmp_path, gzip.compress(header + bytes(2**20)))
    assert 2**20 <= stream.max_content_size(path) < 2 * 9e8
    with pytest.raises(ScanError, match="are truncated"):
        read_scan(path)


# --- writing -------------------------------------------------------------------------------------


def test_equal_masks_give_equal_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    volume = read_scan(save(tmp_path, patched()))
    write_mask(mask_of(volume), tmp_path / "first.nii.gz")
    monkeypatch.setattr(time, "time", lambda: 2e9)
    write_mask(mask_of(volume), tmp_path / "second.nii.gz")
    first, second = ((tmp_path / f"{name}.nii.gz").read_bytes() for name in ("first", "second"))
    assert first == second
    assert first[4:8] == bytes(4)


def test_a_mask_without_a_nifti_header_gets_a_fresh_one(tmp_path: Path) -> None:
    labels = (RAMP > 3).astype(np.uint8)
    write_mask(Mask(labels, Geometry(SHAPE, OBLIQUE)), tmp_path / "mask.nii.gz")
    image = nib.load(tmp_path / "mask.nii.gz")
    assert (int(image.header["sform_code"]), int(image.header["qform_code"])) == (1, 1)
    np.testing.assert_allclose(image.get_sform(), OBLIQUE, rtol=0, atol=1e-5)
    np.testing.assert_allclose(image.get_qform(), OBLIQUE, rtol=0, atol=1e-4)
    assert image.header.get_xyzt_units()[0] == "mm"
    assert np.array_equal(np.asarray(image.dataobj), labels)


@given(labels=arrays(np.uint8, st.tuples(*[st.integers(1, 4)] * 3), elements=st.integers(0, 1)))
def test_every_mask_survives_writing_in_any_memory_layout(folder: Path, labels: Any) -> None:
    path = folder / "mask.nii"
    for stored in (labels, np.asfortranarray(labels), labels[::-1][::-1], labels.astype(bool)):
        write_mask(Mask(stored, Geometry(labels.shape, OBLIQUE)), path)
        assert np.array_equal(np.asarray(nib.load(path).dataobj), labels)


def test_a_mask_on_another_grid_is_refused(tmp_path: Path) -> None:
    volume = read_scan(save(tmp_path, patched()))
    shifted = np.array(volume.geometry.affine)
    shifted[0, 3] += 1
    for geometry in (Geometry(SHAPE, shifted), Geometry((5, 4, 2), volume.geometry.affine)):
        mask = Mask(np.zeros(geometry.shape, np.uint8), geometry, volume.header)
        with pytest.raises(GridError, match="differs from the grid"):
            write_mask(mask, tmp_path / "mask.nii")
    assert not (tmp_path / "mask.nii").exists()


@pytest.mark.parametrize("name", ["mask.mha", "mask", "mask.gz", "nii", "mask.nii.gz.tmp"])
def test_an_output_that_is_no_nifti_is_a_wrong_setting(tmp_path: Path, name: str) -> None:
    mask = Mask(np.zeros(SHAPE, np.uint8), Geometry(SHAPE, OBLIQUE))
    with pytest.raises(ConfigError, match="not that of a mask"):
        write_mask(mask, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_parents_are_made_and_an_older_mask_is_replaced(tmp_path: Path) -> None:
    mask = Mask(np.ones(SHAPE, np.uint8), Geometry(SHAPE, OBLIQUE))
    path = tmp_path / "new" / "folders" / "mask.NII.GZ"
    for _ in range(2):
        write_mask(mask, path)
    assert [entry.name for entry in path.parent.iterdir()] == ["mask.NII.GZ"]
    assert stat.S_IMODE(path.stat().st_mode) & 0o400


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
def test_a_scan_that_is_written_comes_back(tmp_path: Path, dtype: type) -> None:
    values = np.random.default_rng(0).integers(0, 200, (5, 4, 3)).astype(dtype)
    affine = np.array([[0, -2, 0.1, 5], [1.5, 0, 0, -3], [0, 0.1, 4, 9], [0, 0, 0, 1.0]])
    volume = Volume(values, Geometry(values.shape, affine))
    write_scan(volume, tmp_path / "one.nii.gz")
    write_scan(volume, tmp_path / "two.nii.gz")
    again = read_scan(tmp_path / "one.nii.gz")
    assert np.array_equal(again.values, values)
    assert again.geometry.matches(volume.geometry, 1e-4)
    assert (tmp_path / "one.nii.gz").read_bytes() == (tmp_path / "two.nii.gz").read_bytes()
    with pytest.raises(ConfigError, match="the output path of the scan does not end in"):
        write_scan(volume, tmp_path / "scan.mha")
