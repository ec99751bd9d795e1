"""A folder of one DICOM series is read as one volume: geometry, rescaling, modality."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import uid

from dicom_series import (
    AXIAL,
    COLUMNS,
    CORONAL,
    ROWS,
    SAGITTAL,
    assert_every_voxel_at_its_position,
    assign,
    edited,
    remove,
    save,
    series,
    stored,
)
from rma_mamba.scans import read_scan, write_mask
from rma_mamba.volume import Mask


def test_an_axial_series_has_its_columns_rows_and_slices_along_i_j_k(tmp_path: Path) -> None:
    volume = read_scan(save(tmp_path, series()))
    expected = np.diag([-0.75, -1.5, 2.5, 1])
    expected[:3, 3] = [120, 80, 40]
    assert np.array_equal(volume.geometry.affine, expected)
    assert np.array_equal(volume.values, stored().transpose(2, 1, 0) - 1024)
    assert volume.values.dtype == np.int16
    assert (volume.modality, volume.warnings, volume.header) == ("CT", (), None)


@pytest.mark.parametrize(
    ("directions", "letters"),
    [(AXIAL, "LPS"), (CORONAL, "LIP"), (SAGITTAL, "PIR"), ((-1, 0, 0, 0, 1, 0), "RPI")],
)
def test_axial_coronal_and_sagittal_series_keep_every_voxel(
    tmp_path: Path, directions: Any, letters: str
) -> None:
    slices = series(directions=directions)
    volume = read_scan(save(tmp_path, slices))
    assert_every_voxel_at_its_position(volume, slices)
    # R, L and so on, by the right-hand rule: the third axis is the cross product of the others
    third = np.cross(directions[:3], directions[3:]) * [-1, -1, 1]
    assert volume.geometry.orientation[:2] == letters[:2]
    assert volume.geometry.affine[:3, 2] @ third > 0


@settings(max_examples=20, deadline=None)
@given(
    angles=st.tuples(*[st.floats(-3, 3)] * 3),
    spacing=st.tuples(*[st.sampled_from([0.5, 0.9765625, 1.7])] * 2),
    step_mm=st.floats(0.6, 8),
)
def test_oblique_series_keep_every_voxel(
    tmp_path_factory: pytest.TempPathFactory, angles: Any, spacing: Any, step_mm: float
) -> None:
    turn = nib.eulerangles.euler2mat(*angles)
    slices = series(directions=(*turn[:, 0], *turn[:, 1]), spacing=spacing, step_mm=step_mm)
    volume = read_scan(save(tmp_path_factory.mktemp("oblique"), slices))
    assert_every_voxel_at_its_position(volume, slices)


def test_the_position_check_can_fail(tmp_path: Path) -> None:
    slices = series()
    volume = read_scan(save(tmp_path, slices))
    slices[2].ImagePositionPatient[1] += 0.01
    with pytest.raises(AssertionError):
        assert_every_voxel_at_its_position(volume, slices)


def test_the_mask_of_a_series_is_on_its_grid(tmp_path: Path) -> None:
    volume = read_scan(save(tmp_path / "series", series(directions=CORONAL)))
    labels = (volume.values > -1000).astype(np.uint8)
    write_mask(Mask(labels, volume.geometry, volume.header), tmp_path / "mask.nii.gz")
    mask = nib.load(tmp_path / "mask.nii.gz")
    assert (int(mask.header["sform_code"]), int(mask.header["qform_code"])) == (1, 1)
    assert np.array_equal(mask.affine, volume.geometry.affine)
    assert np.array_equal(np.asarray(mask.dataobj), labels)


def test_each_slice_is_rescaled_with_its_own_slope_and_intercept(tmp_path: Path) -> None:
    slices = series()
    for k, data in enumerate(slices):
        data.RescaleSlope, data.RescaleIntercept = k + 1, -10 * k
    volume = read_scan(save(tmp_path, slices))
    expected = stored() * np.arange(1, 7)[:, None, None] - 10 * np.arange(6)[:, None, None]
    assert np.array_equal(volume.values, expected.transpose(2, 1, 0))
    slices[3].RescaleSlope = 0.5
    volume = read_scan(save(tmp_path, slices))
    assert volume.values.dtype == np.float32
    assert np.array_equal(volume.values[:, :, 3], stored()[3].T * 0.5 - 30)


def test_values_that_need_more_than_16_bits_are_kept(tmp_path: Path) -> None:
    slices = series()
    for data in slices:
        data.BitsStored, data.HighBit, data.RescaleIntercept = 16, 15, 0
        data.PixelData = np.full((ROWS, COLUMNS), 65535, "<u2").tobytes()
    volume = read_scan(save(tmp_path, slices))
    assert (volume.values == 65535).all()


def test_monochrome1_ct_is_still_in_hu(tmp_path: Path) -> None:
    slices = series()
    for data in slices:
        data.PhotometricInterpretation = "MONOCHROME1"
    volume = read_scan(save(tmp_path, slices))
    assert np.array_equal(volume.values, stored().transpose(2, 1, 0) - 1024)
    assert volume.warnings == ()


@pytest.mark.parametrize("signed", [False, True])
def test_monochrome1_mr_is_inverted_with_a_warning(tmp_path: Path, signed: bool) -> None:
    slices = series()
    top = -1 if signed else 4095
    for data, pixels in zip(slices, stored(), strict=True):
        data.Modality, data.SOPClassUID = "MR", uid.MRImageStorage
        data.PhotometricInterpretation, data.PixelRepresentation = "MONOCHROME1", int(signed)
        data.PixelData = (top - pixels).astype("<i2").tobytes()
    volume = read_scan(save(tmp_path, slices))
    assert np.array_equal(volume.values, stored().transpose(2, 1, 0) - 1024)
    assert any("inverted" in line for line in volume.warnings)


def test_mr_without_rescale_is_read_as_stored(tmp_path: Path) -> None:
    slices = series()
    for data in slices:
        data.Modality, data.SOPClassUID = "MR", uid.MRImageStorage
        del data.RescaleSlope, data.RescaleIntercept
    volume = read_scan(save(tmp_path, slices))
    assert (volume.modality, volume.warnings) == ("MR", ())
    assert np.array_equal(volume.values, stored().transpose(2, 1, 0))


def test_ct_without_rescale_is_read_with_a_warning(tmp_path: Path) -> None:
    volume = read_scan(save(tmp_path, edited(remove("RescaleIntercept"))))
    assert any("may not be HU" in line for line in volume.warnings)


def test_a_missing_modality_is_derived_from_the_sop_class(tmp_path: Path) -> None:
    slices = edited(remove("Modality"))
    assert read_scan(save(tmp_path, slices)).modality == "CT"
    for data in slices:
        del data.SOPClassUID
        data.file_meta.MediaStorageSOPClassUID = uid.CTImageStorage
    folder = tmp_path / "unnamed"
    folder.mkdir()
    for k, data in enumerate(slices):
        data.save_as(folder / f"{k}.dcm", enforce_file_format=False)
    assert read_scan(folder).modality is None


def test_the_spacing_of_a_single_slice_is_its_thickness(tmp_path: Path) -> None:
    assert read_scan(save(tmp_path, series(slices=1))).geometry.spacing_mm == (0.75, 1.5, 3)
    slices = edited(assign("SpacingBetweenSlices", 3.3), slices=1)
    assert read_scan(save(tmp_path, slices)).geometry.spacing_mm == (0.75, 1.5, 3.3)


@pytest.mark.parametrize("jitter_mm", [0.01, 0.04])
def test_small_jitter_of_positions_is_accepted(tmp_path: Path, jitter_mm: float) -> None:
    slices = series()
    slices[2].ImagePositionPatient[2] += jitter_mm
    assert read_scan(save(tmp_path, slices)).geometry.spacing_mm == (0.75, 1.5, 2.5)
