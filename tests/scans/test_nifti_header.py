"""Every invalid file gives one line that says what was found, what was expected, and what to do."""

from __future__ import annotations

import contextlib
import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nifti_files import (
    OBLIQUE,
    RAMP,
    SHAPE,
    assert_helpful,
    image_of,
    mask_of,
    patched,
    save,
)
from rma_mamba.errors import GridError, RmaMambaError, ScanError
from rma_mamba.scans import (
    nifti,
    read_scan,
    stream,
    write_mask,
)
from rma_mamba.scans.checks import MAX_VOXELS


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all examples of a property; each overwrites the file of the one before."""
    return tmp_path_factory.mktemp("property")


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
    "PNG": (lambda: b"\x89PNG\r\n\x1a\n" + bytes(400), ScanError, "an image file is truncated"),
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
    "affine flat": (lambda: patched(srow_z=[0, 0, 0, 7]), GridError, "do not span a volume"),
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
def test_an_invalid_file_raises_a_one_line_error_with_advice(
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


def test_the_check_of_error_messages_can_fail() -> None:
    with pytest.raises(AssertionError):
        assert_helpful("could not read file")


@settings(max_examples=150)
@given(
    version=st.sampled_from([1, 2]),
    position=st.integers(0, 543),
    junk=st.binary(min_size=1, max_size=8) | st.sampled_from([b"\xff" * 8, bytes(8)]),
)
def test_a_corrupt_header_never_raises_an_untyped_error_or_a_numpy_warning(
    folder: Path, version: int, position: int, junk: bytes
) -> None:
    content = bytearray(image_of(version=version).to_bytes())
    content[position : position + len(junk)] = junk
    with contextlib.suppress(RmaMambaError):
        volume = read_scan(save(folder, bytes(content)))
        labels = np.zeros(volume.geometry.shape)
        write_mask(mask_of(volume, labels), folder / "mask.nii")
        assert read_scan(folder / "mask.nii").geometry.matches(volume.geometry, 0)


def test_a_signalling_nan_is_rejected_without_a_numpy_warning(tmp_path: Path) -> None:
    content = bytearray(patched())
    content[280:284] = b"\x01\x00\xa0\x7f"  # srow_x[0]
    with pytest.raises(GridError, match="finite"):
        read_scan(save(tmp_path, bytes(content)))


def test_missing_paths_and_incomplete_pairs_are_rejected(tmp_path: Path) -> None:
    with pytest.raises(ScanError, match="the scan does not exist"):
        read_scan(tmp_path / "nowhere.nii.gz")
    with pytest.raises(ScanError, match="cannot be opened"):
        read_scan(tmp_path / ("x" * 300))
    nib.save(nib.Nifti1Pair(RAMP, OBLIQUE), tmp_path / "scan.img")
    (tmp_path / "scan.img").rename(tmp_path / "other.img")
    for name in ("scan.hdr", "other.img"):
        with pytest.raises(ScanError, match="pair"):
            read_scan(tmp_path / name)


def test_the_voxel_limit_is_above_a_whole_body_ct() -> None:
    assert 512 * 512 * 2000 < MAX_VOXELS <= 2**30


def test_an_impossible_size_is_rejected_before_memory_is_allocated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nifti, "read_exactly", None)
    header = patched(dim=[3, 1000, 1000, 900, 1, 1, 1, 1])
    path = save(tmp_path, gzip.compress(header + bytes(2**20)))
    assert 2**20 <= stream.max_content_size(path) < 2 * 9e8
    with pytest.raises(ScanError, match="are truncated"):
        read_scan(path)
