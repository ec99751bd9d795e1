"""Scans in a folder: several series, volumes of a 4-D scan."""

from pathlib import Path

import nibabel as nib
import numpy as np

from clinical_series import clinical_series
from dicom_series import save
from rma_mamba.server.case_search import list_cases
from rma_mamba.server.series_search import list_series_of_case


def ignore(*_: object) -> None:
    """Discard progress."""


def test_the_best_of_several_series_is_a_case_and_all_are_listed(tmp_path: Path) -> None:
    study = tmp_path / "study"
    study.mkdir()
    save(study / "short", clinical_series(slices=4))
    other = clinical_series()
    for number, each in enumerate(other):
        each.SeriesInstanceUID = "1.2.826.0.1.3680043.8.498.77"
        each.SOPInstanceUID = f"1.2.826.0.1.3680043.8.498.77.{number}"
    save(study / "long", other)
    found = list_cases(ignore, path=str(study))
    assert [each["name"] for each in found["cases"]] == ["study"]
    assert found["series"] == 2
    case = {"scan": str(study), "folder": str(tmp_path / "none"), "mask": None, "series": None}
    rows = list_series_of_case(ignore, case=case)
    assert [(each["modality"], each["slices"], each["can_open"]) for each in rows] == [
        ("CT", 4, True),
        ("CT", 12, True),
    ]
    assert [each["is_first"] for each in rows] == [False, True]
    case["series"] = rows[0]["uid"]
    assert [each["is_first"] for each in list_series_of_case(ignore, case=case)] == [True, False]


def test_each_volume_of_a_4d_scan_is_a_case(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 900, (8, 8, 6, 3)).astype(np.int16)
    nib.save(nib.Nifti1Image(values, np.eye(4)), tmp_path / "phases.nii.gz")
    found = list_cases(ignore, path=str(tmp_path))["cases"]
    assert [(each["name"], each["volume"]) for each in found] == [
        (f"phases/volume_0{number}", number) for number in (1, 2, 3)
    ]
