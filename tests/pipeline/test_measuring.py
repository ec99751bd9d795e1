"""Measurements of masks made by any tool, as functions."""

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pydicom
import pytest

from clinical_series import clinical_series
from dicom_series import AXIAL, CORONAL, SAGITTAL, save
from rma_mamba.datasets.phantom import make_phantom
from rma_mamba.errors import ConfigError, GridError
from rma_mamba.pipeline.measuring import check_tables, measure_mask, write_tables
from rma_mamba.reporting import PatientSize, measure
from rma_mamba.scans import read_scan, write_mask
from rma_mamba.scans.mask_reader import read_mask
from rma_mamba.volume import Mask

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


@pytest.mark.parametrize(
    ("directions", "unknown"),
    [
        (AXIAL, {"inferior", "superior"}),
        (CORONAL, {"anterior", "posterior"}),
        (SAGITTAL, {"right", "left"}),
    ],
    ids=["axial", "coronal", "sagittal"],
)
def test_the_ends_of_a_segmentation_are_unknown_without_its_scan(
    tmp_path: Path, directions: Any, unknown: set[str]
) -> None:
    scan = read_scan(save(tmp_path / "scan", clinical_series(directions)))
    labels = np.zeros(scan.geometry.shape, np.uint8)
    labels[4:12, 4:12, 3:8] = 1
    path = tmp_path / "seg.dcm"
    write_mask(Mask(labels, scan.geometry, scan.header, scan.source_images), path)
    assert pydicom.dcmread(path).NumberOfFrames == 5
    alone, known = measure_mask(path), measure_mask(path, tmp_path / "scan")
    cuts = {name: value for name, value in alone.record.items() if name.startswith("cut_")}
    assert {name for name, value in cuts.items() if value is None} == {
        f"cut_{face}_mm2" for face in unknown
    }
    assert set(cuts.values()) == {None, 0}
    assert alone.warnings == ()
    for name, value in known.record.items():
        if value is not None and not name.startswith(("cut_", "intensity_")):
            assert getattr(alone, name) == pytest.approx(value, rel=1e-3), name
    mask = read_mask(path).mask
    assert measure(mask).touches_border == ()
    write_tables(alone, tmp_path / "a.json", tmp_path / "a.csv")
    assert json.loads((tmp_path / "a.json").read_text())[f"cut_{min(unknown)}_mm2"] is None


def test_the_other_faces_of_a_segmentation_are_known_without_its_scan(tmp_path: Path) -> None:
    scan = read_scan(save(tmp_path / "scan", clinical_series()))
    labels = np.zeros(scan.geometry.shape, np.uint8)
    labels[0:12, 4:12, 0:8] = 1
    path = tmp_path / "seg.dcm"
    write_mask(Mask(labels, scan.geometry, scan.header, scan.source_images), path)
    alone, known = measure_mask(path), measure_mask(path, tmp_path / "scan")
    assert "edge of the scan (right)" in alone.warnings[0]
    assert alone.cut_right_mm2 == pytest.approx(known.cut_right_mm2)
    assert (alone.cut_inferior_mm2, alone.cut_superior_mm2) == (None, None)
    assert known.cut_inferior_mm2
    assert known.cut_superior_mm2 == 0


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
