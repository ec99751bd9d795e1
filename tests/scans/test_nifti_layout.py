"""Headers have the fields and bytes that nibabel gives them."""

import nibabel as nib
import numpy as np
import pytest

from rma_mamba.scans.nifti_layout import SIZES, NiftiHeader

CLASSES = dict(zip((348, 540), (nib.Nifti1Header, nib.Nifti2Header), strict=True))


def test_the_versions_are_told_apart_by_the_size_of_the_header() -> None:
    assert set(SIZES) == set(CLASSES)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
def test_a_header_for_a_volume_has_the_bytes_of_nibabel(size: int, dtype: type) -> None:
    expected = CLASSES[size](endianness="<")
    expected.set_data_shape((3, 40, 5))
    expected.set_data_dtype(dtype)
    header = NiftiHeader.for_volume(size, (3, 40, 5), np.dtype(dtype))
    for field in (expected, header):
        field["pixdim"], field["scl_slope"], field["scl_inter"] = [1, 2, 3, 4, 0, 0, 0, 0], 1, 0
        field["srow_x"], field["intent_code"], field["vox_offset"] = [1, 0, 0, -7], 1002, size + 4
    assert header.content == expected.binaryblock
    header["qform_code"] = 1
    assert header.content != expected.binaryblock


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("endianness", "<>")
def test_every_field_is_read_in_the_byte_order_of_the_file(size: int, endianness) -> None:
    block = np.random.default_rng(0).integers(0, 64, size, np.uint8).tobytes()
    expected = CLASSES[size](block, endianness=endianness, check=False)
    header = NiftiHeader(block, endianness)
    for name in CLASSES[size].template_dtype.names:
        np.testing.assert_array_equal(np.array(header[name]), np.array(expected[name]))
    assert header.content == block
