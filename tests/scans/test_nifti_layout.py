"""The header layout is that of the standard; nibabel is the second implementation to compare with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from rma_mamba.scans import write_mask
from rma_mamba.scans.nifti_layout import HEADER_LAYOUTS, new_header, parsed
from rma_mamba.volume import Geometry, Mask

NIBABEL = {348: nib.Nifti1Header, 540: nib.Nifti2Header}


@pytest.mark.parametrize("size", [348, 540])
def test_fields_are_where_nibabel_has_them(size: int) -> None:
    expected, layout = NIBABEL[size].template_dtype.fields, HEADER_LAYOUTS[size].fields
    assert expected is not None
    assert layout is not None
    for name in set(layout) - {"eol_check"}:
        (dtype, offset), (other, at) = layout[name][:2], expected[name][:2]
        assert (offset, dtype.newbyteorder("<"), dtype.shape) == (at, other, other.shape), name


@pytest.mark.parametrize("size", [348, 540])
@pytest.mark.parametrize("byte_order", ["<", ">"])
def test_a_header_is_parsed_as_by_nibabel(size: int, byte_order: Any) -> None:
    block = np.random.default_rng(size).integers(0, 256, size, np.uint8).tobytes()
    header = parsed(block, byte_order)
    expected = NIBABEL[size](block, endianness=byte_order, check=False)
    for name in set(header.dtype.names) - {"eol_check"}:
        field, other = (np.asarray(fields[name]) for fields in (header, expected))
        assert field.tobytes() == other.astype(field.dtype).tobytes(), name


@pytest.mark.parametrize("size", [348, 540])
def test_a_new_header_has_the_bytes_of_nibabel(size: int) -> None:
    header, expected = new_header(size), NIBABEL[size](endianness="<")
    header["dim"], header["pixdim"], header["scl_slope"] = [0, *[1] * 7], 1, 1
    header["datatype"], header["bitpix"] = 16, 32
    assert header.tobytes() == expected.binaryblock
    header["datatype"] = 4
    assert header.tobytes() != expected.binaryblock


def test_an_axis_too_long_for_nifti_1_is_written_as_nifti_2(tmp_path: Path) -> None:
    for length, version in ((2**15 - 1, nib.Nifti1Image), (2**15, nib.Nifti2Image)):
        shape = (length, 2, 1)
        mask = Mask(np.ones(shape, np.uint8), Geometry(shape, np.diag([0.1, 1, 1, 1])))
        write_mask(mask, tmp_path / "mask.nii")
        image = nib.load(tmp_path / "mask.nii")
        assert (type(image), image.shape) == (version, shape)
        assert np.asarray(image.dataobj).all()
