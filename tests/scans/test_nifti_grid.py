"""The grid follows sform, qform and pixdim as the standard defines, and contradictions give warnings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nifti_files import (
    OBLIQUE,
    RAMP,
    SHAPE,
    content_of,
    image_of,
    mask_of,
    patched,
    save,
)
from rma_mamba.scans import (
    nifti_grid,
    read_scan,
    write_mask,
)
from rma_mamba.volume import Geometry


def test_sform_takes_precedence_over_qform_and_a_contradiction_gives_a_warning(
    tmp_path: Path,
) -> None:
    image = image_of()
    image.set_sform(np.diag([2, 2, 2, 1]), 1)
    image.set_qform(np.diag([3, 2, 2, 1]), 1)
    volume = read_scan(save(tmp_path, image.to_bytes()))
    assert volume.geometry.spacing_mm == (2, 2, 2)
    assert any("qform in the header contradicts" in line for line in volume.warnings)


def test_agreeing_sform_and_qform_give_no_warning(tmp_path: Path) -> None:
    image = image_of()
    image.set_sform(OBLIQUE, 1)
    image.set_qform(OBLIQUE, 1)
    assert read_scan(save(tmp_path, image.to_bytes())).warnings == ()


def test_qform_is_used_if_the_sform_is_unset_or_empty(tmp_path: Path) -> None:
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
    vector = sum(float(header[f"quatern_{axis}"]) ** 2 for axis in "bcd")
    # near 180 degrees the header's float32 values no longer determine the scalar part, which nibabel sets to 0
    assume(1 - vector > 1e-4)
    geometry, _ = nifti_grid.grid_geometry(nifti_grid.GridHeader.of(header, SHAPE))
    np.testing.assert_allclose(geometry.affine, header.get_qform(), rtol=0, atol=1e-5)


@given(
    angles=st.tuples(*[st.sampled_from([0.0, 0.3, -1.0, np.pi / 2, np.pi, 3.0])] * 3),
    mirrored=st.booleans(),
)
def test_a_new_header_has_the_same_sform_and_qform(
    angles: tuple[float, ...], mirrored: bool
) -> None:
    affine = nib.affines.from_matvec(nib.eulerangles.euler2mat(*angles) * [0.8, 1, 4], [9, 8, 7])
    affine[:3, 2] *= -1 if mirrored else 1
    grid = nifti_grid.grid_from_geometry(Geometry(SHAPE, affine))
    located, warnings = nifti_grid.grid_geometry(grid)
    np.testing.assert_allclose(located.affine, affine, rtol=0, atol=1e-5)
    assert warnings == ()


def test_without_orientation_codes_only_the_spacing_is_used_with_a_warning(tmp_path: Path) -> None:
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


def test_suspicious_headers_are_read_with_a_warning(tmp_path: Path) -> None:
    def warnings(**fields: Any) -> str:
        return " ".join(read_scan(save(tmp_path, patched(**fields))).warnings)

    assert "pixdim in the header contradicts" in warnings(pixdim=[1, 2.4, 1.5, 5, 0, 0, 0, 0])
    assert "pixdim in the header contradicts" in warnings(pixdim=[1, np.nan, 0, 5, 0, 0, 0, 0])
    assert "spatial unit in the header is unknown" in warnings(xyzt_units=5)
    assert "implausible" in warnings(xyzt_units=1)
    assert "not perpendicular" in warnings(srow_x=[-1.2, 0.5, 0, 90])
    assert warnings() == ""
