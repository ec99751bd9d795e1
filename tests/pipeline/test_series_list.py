"""The list of series marks what `segment` reads."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from pydicom.uid import generate_uid

from dicom_series import save, series
from rma_mamba.errors import ScanError
from rma_mamba.pipeline.series_list import list_chosen_series


def patients(folder: Path) -> Path:
    for name in ("p1", "p2"):
        slices = series()
        study = generate_uid()
        for each in slices:
            each.StudyInstanceUID, each.PatientID, each.SeriesInstanceUID = study, name, study
        (folder / name).mkdir(parents=True)
        save(folder / name, slices)
    return folder


def test_the_series_of_each_case_of_a_cohort_is_marked(command, tmp_path: Path) -> None:
    cohort = patients(tmp_path / "cohort")
    (cohort / "README.txt").write_text("notes")
    nib.save(
        nib.Nifti1Image(np.arange(60).reshape(5, 4, 3), np.eye(4), dtype="int16"), cohort / "a.nii"
    )
    found = list_chosen_series(cohort)
    assert [(each.chosen, each.reason) for each in found] == [(True, "the only scan")] * 2
    done = command("series", cohort)
    assert "a cohort of 3 cases" in done.err
    assert [line[0] for line in done.out.splitlines()] == [" ", "*", "*"]


def test_a_mask_beside_slices_changes_nothing_and_a_scan_is_refused_as_by_segment(
    command, segmenter, tmp_path: Path
) -> None:
    folder = save(tmp_path / "series", series())
    mask = np.zeros((5, 4, 3), np.uint8)
    mask[0] = 1
    nib.save(nib.Nifti1Image(mask, np.eye(4)), folder / "liver.nii.gz")
    assert [each.chosen for each in list_chosen_series(folder)] == [True]
    assert command("segment", "-i", folder, "-o", tmp_path / "m.nii").code == 0
    nib.save(
        nib.Nifti1Image(np.arange(60).reshape(5, 4, 3), np.eye(4), dtype="int16"), folder / "ct.nii"
    )
    with pytest.raises(ScanError, match="read in two ways"):
        list_chosen_series(folder)
    for arguments in (("series", folder), ("segment", "-i", folder, "-o", tmp_path / "m.nii")):
        done = command(*arguments)
        assert (done.code, "read in two ways" in done.err) == (4, True)
