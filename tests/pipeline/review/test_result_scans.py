"""The scan of a result is found by its name, its files or its series, and read as the run has read it."""

import json
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from clinical_series import clinical_series
from dicom_series import save
from rma_mamba.pipeline.request import ReadOptions
from rma_mamba.pipeline.review.result_folders import find_results
from rma_mamba.pipeline.review.result_scans import (
    match_scans,
    read_scan_of_result,
    reading_of_result,
)
from rma_mamba.scans import read_scan, write_mask
from rma_mamba.volume import Mask

UID = "1.2.826.0.1.3680043.8.498.{}"


def study(folder: Path) -> Path:
    """A folder with a short and a long series, which is the better one."""
    folder.mkdir(parents=True)
    for number, slices in ((61, 5), (62, 12)):
        found = clinical_series(slices=slices)
        for k, each in enumerate(found):
            each.SeriesInstanceUID = UID.format(number)
            each.SOPInstanceUID, each.SeriesNumber = UID.format(f"{number}.{k}"), number
        save(folder / str(number), found)
    return folder


def segmentation(scan: Path, series: str, path: Path) -> Path:
    """A mask of one of the series of a scan, as another tool writes it."""
    volume = read_scan(scan, series=series)
    labels = np.zeros(volume.geometry.shape, np.uint8)
    labels[4:9, 4:9, 1:3] = 1
    path.parent.mkdir(parents=True, exist_ok=True)
    write_mask(Mask(labels, volume.geometry, volume.header, volume.source_images), path)
    return path


def test_a_result_that_was_moved_is_known_by_its_name_and_its_files(
    cohort: Callable[..., Path], tmp_path: Path
) -> None:
    cohort("a")
    (tmp_path / "scans").rename(tmp_path / "inner")
    (tmp_path / "scans").mkdir()
    (tmp_path / "inner").rename(tmp_path / "scans" / "moved")
    results = find_results(tmp_path / "out")
    matches = match_scans(results, tmp_path / "scans")
    assert matches["a"].scan.name == "a.nii.gz"
    run = tmp_path / "out" / "a" / "run.json"
    run.write_text(json.dumps({**json.loads(run.read_text()), "input_sha256": "0"}))
    assert match_scans(find_results(tmp_path / "out"), tmp_path / "scans") == {}


def test_a_segmentation_of_any_name_belongs_to_the_series_it_refers_to(tmp_path: Path) -> None:
    scans = tmp_path / "scans"
    study(scans / "first")
    values = np.random.default_rng(0).integers(0, 900, (8, 8, 6)).astype(np.int16)
    nib.save(nib.Nifti1Image(values, np.eye(4)), scans / "second.nii.gz")
    mask = segmentation(scans / "first", UID.format(61), tmp_path / "out" / "x" / "1.dcm")
    matches = match_scans(find_results(tmp_path / "out"), scans)
    assert matches["x"].scan == scans / "first"
    read = read_scan_of_result(tmp_path / "out" / "x", scans / "first", mask=mask)
    assert read.geometry.shape[2] == 5
    assert read_scan_of_result(tmp_path / "out" / "x", scans / "first").geometry.shape[2] == 12


def test_the_series_that_was_segmented_is_read(tmp_path: Path) -> None:
    scan = study(tmp_path / "study")
    case = tmp_path / "out" / "study"
    case.mkdir(parents=True)
    (case / "run.json").write_text(json.dumps({"settings": {"series": "1", "volume": None}}))
    assert read_scan_of_result(case, scan).geometry.shape[2] == 5
    assert read_scan_of_result(case, scan, series=UID.format(62)).geometry.shape[2] == 12


@pytest.mark.parametrize("settings", [None, [], {"series": 3.5, "volume": "all", "spacing_mm": 2}])
def test_a_record_of_another_form_states_nothing_of_the_volume(
    tmp_path: Path, settings: object
) -> None:
    (tmp_path / "run.json").write_text(json.dumps({"settings": settings}))
    found = reading_of_result(tmp_path)
    assert (found.volume, found.spacing_mm) == (None, None)
    (tmp_path / "run.json").write_text('{"settings": {"volume": 2, "spacing_mm": [1, 1, 3]}}')
    assert reading_of_result(tmp_path) == ReadOptions(volume=2, spacing_mm=(1.0, 1.0, 3.0))


def test_other_series_and_volumes_of_a_study_have_its_scan(tmp_path: Path) -> None:
    scans = tmp_path / "scans"
    study(scans / "study")
    values = np.random.default_rng(0).integers(0, 900, (8, 8, 6)).astype(np.int16)
    nib.save(nib.Nifti1Image(values, np.eye(4)), scans / "z.nii.gz")
    for name in ("study/series_02", "study/series_02/volume_03", "z/volume_01"):
        (tmp_path / "out" / name).mkdir(parents=True, exist_ok=True)
        (tmp_path / "out" / name / "run.json").write_text('{"rma_mamba": "0.2.0"}')
        (tmp_path / "out" / name / "liver.nii.gz").write_bytes(b"x")
    found = match_scans(find_results(tmp_path / "out"), scans)
    assert {name: (case.scan.name, case.volume) for name, case in found.items()} == {
        "study/series_02": ("study", None),
        "study/series_02/volume_03": ("study", 3),
        "z/volume_01": ("z.nii.gz", 1),
    }
