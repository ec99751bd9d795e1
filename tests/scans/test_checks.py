"""Sizes, volume numbers and geometries are checked in the same way for all formats."""

from __future__ import annotations

import numpy as np
import pytest

from rma_mamba.errors import ConfigError, ScanError
from rma_mamba.scans.checks import (
    CONSTANT,
    MAX_VOXELS,
    check_size,
    check_volume_number,
    plausibility_warnings,
)
from rma_mamba.volume import Geometry

VALUES = np.arange(8).reshape(2, 2, 2)


def test_a_size_needs_two_axes_with_more_than_one_voxel() -> None:
    for shape in ((512, 512, 2000), (512, 512, 1), (1, 5, 4)):
        check_size(shape)
    for shape in ((5, 1, 1), (0, 5, 5), (1, 1, 1)):
        with pytest.raises(ScanError, match="expected a 3-D volume"):
            check_size(shape)


def test_the_maximum_size_is_accepted_and_a_larger_one_rejected() -> None:
    check_size((2**10, 2**10, MAX_VOXELS // 2**20))
    with pytest.raises(ScanError, match="declares"):
        check_size((2**10, 2**10, MAX_VOXELS // 2**20 + 1))


def test_a_volume_number_is_required_only_if_there_are_several_volumes() -> None:
    assert (check_volume_number(None, 1), check_volume_number(1, 1)) == (1, 1)
    assert check_volume_number(3, 3) == 3
    with pytest.raises(ScanError, match=r"2 volumes that differ in echo time; .* --volume 1 to 2"):
        check_volume_number(None, 2, "echo time")
    for number in (0, 3, -1):
        with pytest.raises(ConfigError, match=f"volume {number} does not exist; expected 1 to 2"):
            check_volume_number(number, 2)
    with pytest.raises(ConfigError, match=r"the scan has one volume, .* Omit --volume\.$"):
        check_volume_number(3, 1)


@pytest.mark.parametrize("spacing_mm", [0.1, 1, 20])
def test_plausible_volumes_give_no_warning(spacing_mm: float) -> None:
    geometry = Geometry((2, 2, 2), np.diag([1, 1, spacing_mm, 1]))
    assert plausibility_warnings(VALUES, geometry) == ()


@pytest.mark.parametrize("spacing_mm", [0.099, 20.1])
def test_implausible_spacing_gives_a_warning(spacing_mm: float) -> None:
    geometry = Geometry((2, 2, 2), np.diag([1, 1, spacing_mm, 1]))
    (warning,) = plausibility_warnings(VALUES, geometry)
    assert f"1 x 1 x {spacing_mm:g} mm is implausible" in warning


def test_shear_and_constant_values_each_give_a_warning() -> None:
    for shear, expected in ((0.01, 0), (0.02, 1), (-0.3, 1)):
        affine = np.eye(4)
        affine[0, 1] = shear
        warnings = plausibility_warnings(VALUES, Geometry((2, 2, 2), affine))
        assert len([line for line in warnings if "sheared" in line]) == expected
    assert plausibility_warnings(VALUES * 0, Geometry((2, 2, 2), np.eye(4))) == (CONSTANT,)
