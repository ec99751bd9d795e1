"""Results are found whatever tool has written them, and scans are not taken for results."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from clinical_series import clinical_series, series_mask
from dicom_series import save
from rma_mamba.pipeline.review.result_folders import find_results, result_in
from rma_mamba.scans import write_mask


def label_map(path: Path, dtype: type = np.uint8) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.zeros((4, 5, 6), dtype)
    values[1:3, 1:3, 1:3] = 1
    nib.save(nib.Nifti1Image(values, np.eye(4)), path)
    return path


def own(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.json").write_text('{"rma_mamba": "0.2.0"}')
    return folder


@pytest.mark.parametrize("name", ["liver.nii.gz", "liver_seg.dcm", "liver_rtstruct.dcm"])
def test_each_mask_of_segment_is_a_result(tmp_path: Path, name: str) -> None:
    (own(tmp_path / "a" / "b") / name).write_bytes(b"x")
    (found,) = find_results(tmp_path, scans=tmp_path).values()
    assert (found.name, found.mask.name, found.is_own) == ("a/b", name, True)
    assert found.is_on_grid == (name == "liver.nii.gz")
    again = result_in(tmp_path / "a" / "b", "a/b")
    assert again is not None
    assert again.mask == found.mask


def test_the_label_map_is_preferred_and_tables_alone_are_no_result(tmp_path: Path) -> None:
    for name in ("liver_seg.dcm", "liver.nii.gz", "liver_rtstruct.dcm"):
        (own(tmp_path / "a") / name).write_bytes(b"x")
    (own(tmp_path / "b") / "measurements.json").write_text("{}")
    (found,) = find_results(tmp_path).values()
    assert found.mask.name == "liver.nii.gz"
    assert result_in(tmp_path / "b", "b") is None
    assert result_in(tmp_path / "missing", "missing") is None


def test_masks_of_other_tools_are_results_wherever_they_lie(tmp_path: Path) -> None:
    mask = series_mask(tmp_path / "scan")
    out = tmp_path / "out"
    (out / "p1").mkdir(parents=True)
    write_mask(mask, out / "p1" / "anything.dcm", "dicom_seg")
    write_mask(mask, out / "p2_rtstruct.dcm", "dicom_rtstruct")
    label_map(out / "p3.nii.gz")
    label_map(out / "p4" / "Segmentation.seg.nii", np.int16)
    (out / "p5").mkdir()
    (out / "p5" / "notes.txt").write_text("x")
    label_map(out / "p6" / "liver.nii.gz")
    label_map(out / "p6" / "spleen.nii.gz")
    found = find_results(out)
    assert {name: each.mask.name for name, each in found.items()} == {
        "p1": "anything.dcm",
        "p2": "p2_rtstruct.dcm",
        "p3": "p3.nii.gz",
        "p4": "Segmentation.seg.nii",
        "p6": "liver.nii.gz",
    }
    assert not any(each.is_own for each in found.values())
    assert find_results(out, scans=out) == {}
    assert len(find_results(out, scans=tmp_path)) == 5  # results may lie among the scans
    assert set(find_results(out, scans=out / "p4")) == {"p1", "p2", "p3", "p6"}


def test_scans_are_no_results(tmp_path: Path) -> None:
    save(tmp_path / "series", clinical_series(slices=4))
    values = np.random.default_rng(0).integers(0, 900, (8, 8, 6)).astype(np.int16)
    nib.save(nib.Nifti1Image(values, np.eye(4)), tmp_path / "scan.nii.gz")
    assert find_results(tmp_path) == {}
