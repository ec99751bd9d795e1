"""Values are rescaled exactly, without NaN or infinity, in the most compact of three types."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nifti_files import (
    OBLIQUE,
    RAMP,
    SHAPE,
    content_of,
    image_of,
    save,
)
from rma_mamba.scans import (
    read_scan,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all examples of a property; each overwrites the file of the one before."""
    return tmp_path_factory.mktemp("property")


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
def test_integers_outside_the_range_of_int16_become_float32(tmp_path: Path, end: int) -> None:
    values = RAMP.astype(np.int32)
    values[0, 0, 0] = end
    volume = read_scan(save(tmp_path, image_of(values).to_bytes()))
    assert volume.values.dtype == np.float32
    assert np.array_equal(volume.values, values)


def test_non_finite_voxels_get_the_lowest_value_and_a_warning(tmp_path: Path) -> None:
    values = RAMP.astype(np.float32)
    values[0, 0, 0], values[1, 1, 1], values[2, 2, 2] = np.nan, np.inf, -np.inf
    lowest = values[np.isfinite(values)].min()
    volume = read_scan(save(tmp_path, image_of(values).to_bytes()))
    assert [volume.values[i, i, i] for i in range(3)] == [lowest] * 3
    assert np.isfinite(volume.values).all()
    assert any(line.startswith("3 voxels were not finite") for line in volume.warnings)


def test_values_beyond_single_precision_are_infinite(tmp_path: Path) -> None:
    values = RAMP.astype(np.float64)
    values[0, 0, 0], values[0, 0, 1] = 1e300, 1e30
    volume = read_scan(save(tmp_path, image_of(values).to_bytes()))
    assert volume.values[0, 0, 0] == values[np.isfinite(values)].min()
    assert volume.values[0, 0, 1] == np.float32(1e30)


def test_a_constant_scan_is_read_with_a_warning(tmp_path: Path) -> None:
    volume = read_scan(save(tmp_path, image_of(np.zeros(SHAPE, np.uint8)).to_bytes()))
    assert any("same value" in line for line in volume.warnings)
