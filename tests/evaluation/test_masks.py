"""Mask files are reduced to liver and background on canonical axes."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from rma_mamba.conventions import GRID_TOLERANCE_MM
from rma_mamba.errors import GridError
from rma_mamba.evaluation.masks import check_same_grid, read_liver_mask
from rma_mamba.volume import Geometry

AFFINE = np.diag([2.0, 2.0, 5.0, 1.0])


def write(path: Path, values: dict[int, int], affine: np.ndarray = AFFINE) -> Path:
    """A mask with the given number of voxels of each value."""
    mask = np.zeros((6, 5, 4), np.uint8)
    at = 0
    for value, count in values.items():
        mask.ravel()[at : at + count] = value
        at += count
    nib.save(nib.Nifti1Image(mask, affine), path)
    return path


@pytest.mark.parametrize(
    ("values", "labels", "liver", "others"),
    [
        ({1: 8}, (), 8, False),
        ({255: 8}, (1,), 8, False),  # a binary mask, whatever label was named
        ({1: 3, 6: 8}, (6,), 8, False),
        ({1: 3, 6: 8}, (), 11, False),
        ({2: 3}, (1,), 0, True),
        ({}, (1,), 0, False),
    ],
)
def test_the_label_rule_selects_the_liver(
    tmp_path: Path, values: dict[int, int], labels: tuple[int, ...], liver: int, others: bool
) -> None:
    mask = read_liver_mask(write(tmp_path / "mask.nii", values), labels)
    assert int(mask.bits.sum()) == liver
    assert mask.bits.dtype == bool
    assert mask.has_other_labels is others
    assert mask.warnings == ()


def test_axes_are_brought_into_canonical_order(tmp_path: Path) -> None:
    mask = read_liver_mask(write(tmp_path / "mask.nii", {1: 8}))
    assert mask.bits.shape == mask.geometry.shape == (4, 5, 6)
    assert mask.geometry.spacing_mm == pytest.approx((5, 2, 2))


def test_grids_within_the_tolerance_are_the_same() -> None:
    def grid(shift_mm: float, shape: tuple[int, int, int] = (4, 5, 6)) -> Geometry:
        affine = AFFINE.copy()
        affine[0, 3] = shift_mm
        return Geometry(shape, affine)

    check_same_grid(grid(0), grid(0.9 * GRID_TOLERANCE_MM))
    with pytest.raises(GridError, match=r"0\.11 mm apart"):
        check_same_grid(grid(0), grid(1.1 * GRID_TOLERANCE_MM))
    with pytest.raises(GridError, match="on a different grid") as caught:
        check_same_grid(grid(0), grid(0, (4, 5, 7)))
    assert "apart" not in str(caught.value)
