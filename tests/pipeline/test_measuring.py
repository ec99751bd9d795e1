"""Measurements of masks made by any tool, as functions."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from rma_mamba.datasets.phantom import make_phantom
from rma_mamba.errors import ConfigError, GridError
from rma_mamba.pipeline.measuring import check_tables, measure_mask, write_tables
from rma_mamba.reporting import PatientSize

BOX_ML = 8 * 5 * 4 * 20 / 1000


@pytest.fixture
def mask(scan: Path) -> Path:
    """The bright box of the scan as label 3."""
    image = nib.load(scan)
    path = scan.with_name("mask.nii.gz")
    labels = (np.asarray(image.dataobj) > 500).astype(np.uint8) * 3
    nib.save(nib.Nifti1Image(labels, image.affine), path)
    return path


def test_volume_intensity_and_standard_volume_are_measured(scan: Path, mask: Path) -> None:
    found = measure_mask(mask, scan, patient_size=PatientSize(175, 80))
    assert found.volume_ml == pytest.approx(BOX_ML)
    assert (found.intensity_mean_au, found.intensity_mean_hu) == (1000, None)
    assert found.volume_to_urata_ratio == pytest.approx(BOX_ML / 1384.0, rel=1e-3)
    assert measure_mask(str(mask)).intensity_mean_au is None


def test_the_modality_can_be_set(scan: Path, mask: Path) -> None:
    assert measure_mask(mask, scan, modality="MR").intensity_mean_au == 1000


def test_labels_select_the_liver_and_their_absence_is_a_warning(mask: Path) -> None:
    assert measure_mask(mask, labels=[3]).volume_ml == pytest.approx(BOX_ML)
    other = measure_mask(mask, labels=[4])
    assert other.volume_ml == 0
    assert "none of the selected label values" in other.warnings[0]


def test_a_mask_that_does_not_fit_its_scan_is_a_warning(tmp_path: Path) -> None:
    made = make_phantom(3, contrast="ct", shape=(128, 128, 40), spacing_mm=(3.0, 3.0, 6.0))
    scan, whole, cut = (tmp_path / f"{name}.nii.gz" for name in ("scan", "whole", "cut"))
    affine, liver = made.volume.geometry.affine, made.mask.labels
    filled = np.flatnonzero(liver.any(axis=(0, 1)))
    upper = np.arange(liver.shape[2]) > filled[len(filled) // 2]
    nib.save(nib.Nifti1Image(made.volume.values, affine), scan)
    nib.save(nib.Nifti1Image(liver, affine), whole)
    nib.save(nib.Nifti1Image(liver * ~upper, affine), cut)
    assert not any("ends abruptly" in each for each in measure_mask(whole, scan).warnings)
    assert any("ends abruptly" in each for each in measure_mask(cut, scan).warnings)
    assert not any("ends abruptly" in each for each in measure_mask(cut).warnings)


def test_another_grid_is_an_error(scan: Path, mask: Path) -> None:
    image = nib.load(scan)
    moved = image.affine + np.eye(4)
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj), moved), scan)
    with pytest.raises(GridError):
        measure_mask(mask, scan)


def test_tables_are_written_together_or_not_at_all(mask: Path, tmp_path: Path) -> None:
    found = measure_mask(mask)
    write_tables(found, tmp_path / "a.json", tmp_path / "a.csv")
    assert json.loads((tmp_path / "a.json").read_text())["volume_ml"] == found.record["volume_ml"]
    header, row = (tmp_path / "a.csv").read_text().splitlines()
    assert header.split(",")[0] == "volume_ml"
    assert float(row.split(",")[0]) == found.record["volume_ml"]
    write_tables(found, None, None)


def test_tables_need_their_suffix(tmp_path: Path) -> None:
    check_tables(None, tmp_path / "a.CSV")
    with pytest.raises(ConfigError, match=r"expected a path ending in \.json"):
        check_tables(tmp_path / "a.csv", None)
