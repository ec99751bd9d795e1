"""Masks that are DICOM objects are scored and measured like the NIfTI files of the same voxels."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from clinical_series import series_mask
from rma_mamba.errors import ConfigError, GridError, ScanError
from rma_mamba.evaluation import pair_masks, score_pairs
from rma_mamba.evaluation.case_scores import CaseScore
from rma_mamba.evaluation.mask_scoring import grid_of_scan
from rma_mamba.label_scheme import LabelScheme
from rma_mamba.pipeline import measure_mask
from rma_mamba.scans import write_mask
from rma_mamba.volume import ClassMap


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """A reference with a tumour and a prediction that is one voxel off, each in three formats, and their scan."""
    mask = series_mask(tmp_path / "in")
    found = {"scan": tmp_path / "in"}
    for name, shift in (("truth", 0), ("found", 1)):
        values = np.roll(mask.labels, shift, axis=1)
        values[8:12, 18:22, 4:7] = 2
        scheme = LabelScheme(names=("liver", "tumour"), inside={"tumour": "liver"})
        made = replace(mask, classes=ClassMap(values, scheme), labels=scheme.liver_in(values))
        for suffix, kind in (("nii", "nifti"), ("dcm", "dicom_seg"), ("rt.dcm", "dicom_rtstruct")):
            write_mask(made, tmp_path / f"{name}.{suffix}", kind)  # type: ignore[arg-type]
            found[f"{name}.{suffix}"] = tmp_path / f"{name}.{suffix}"
    return found


def scored(reference: Path, prediction: Path, scan: Path | None = None, **more: Any) -> CaseScore:
    pairing = pair_masks(reference, [prediction])
    (score,) = score_pairs(pairing, scan=grid_of_scan(scan, pairing), **more)
    return score


@pytest.mark.parametrize("prediction", ["nii", "dcm", "rt.dcm"])
@pytest.mark.parametrize("reference", ["nii", "dcm", "rt.dcm"])
def test_formats_may_be_mixed(files: dict[str, Path], reference: str, prediction: str) -> None:
    classes = {"tumour": (2,)}
    expected = scored(files["truth.nii"], files["found.nii"], classes=classes)
    pair = files[f"truth.{reference}"], files[f"found.{prediction}"]
    found = scored(*pair, files["scan"], classes=classes)
    assert found.volume.dice == expected.volume.dice
    assert found.volume.hd_mm == pytest.approx(expected.volume.hd_mm, rel=1e-6)
    assert [each.score.dice for each in found.classes] == [1.0]
    assert expected.volume.dice < 0.99
    if "nii" in (reference, prediction):  # its grid is that of the scan
        assert scored(*pair).volume.dice == expected.volume.dice


def test_two_segmentations_need_no_scan_and_contours_do(files: dict[str, Path]) -> None:
    expected = scored(files["truth.nii"], files["truth.nii"]).volume.dice
    assert scored(files["truth.dcm"], files["truth.dcm"]).volume.dice == expected == 1
    with pytest.raises(ScanError, match=r"reference 1 of 1 by name: .*--scan"):
        scored(files["truth.rt.dcm"], files["found.dcm"])


def test_a_folder_of_segmentations_is_paired_by_name(
    files: dict[str, Path], tmp_path: Path
) -> None:
    for folder, name, suffix in (("a", "truth", "nii"), ("b", "found", "dcm")):
        (tmp_path / folder).mkdir()
        files[f"{name}.{suffix}"].rename(tmp_path / folder / f"case.{suffix}")
    pairing = pair_masks(tmp_path / "a", [tmp_path / "b"])
    assert [pair.case for pair in pairing.pairs] == ["case"]
    (score,) = score_pairs(pairing)
    assert 0.5 < score.volume.dice < 1


def test_a_scan_belongs_to_one_reference(files: dict[str, Path], tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / "a").mkdir(exist_ok=True)
        (tmp_path / "a" / f"{name}.nii").write_bytes(files["truth.nii"].read_bytes())
    pairing = pair_masks(tmp_path / "a", [tmp_path / "a"])
    with pytest.raises(ConfigError, match="2 references"):
        grid_of_scan(files["scan"], pairing)


@pytest.mark.parametrize("suffix", ["dcm", "rt.dcm"])
def test_measurements_are_those_of_the_nifti_file(files: dict[str, Path], suffix: str) -> None:
    expected = measure_mask(files["truth.nii"], files["scan"]).record
    assert measure_mask(files[f"truth.{suffix}"], files["scan"]).record == expected
    tumour = measure_mask(files[f"truth.{suffix}"], files["scan"], labels=[2]).volume_ml
    assert tumour == measure_mask(files["truth.nii"], files["scan"], labels=[2]).volume_ml
    if suffix == "dcm":
        assert measure_mask(files["truth.dcm"]).volume_ml == pytest.approx(
            expected["volume_ml"], abs=1e-4
        )


def test_the_commands_read_them(files: dict[str, Path], tmp_path: Path, command: Any) -> None:
    measured = command("measure", files["truth.rt.dcm"], "--scan", files["scan"])
    assert (measured.code, "volume_ml" in measured.out) == (0, True)
    assert command("measure", files["truth.rt.dcm"]).code == 4
    options = ("--scan", files["scan"], "-o", tmp_path / "out")
    done = command("score", files["truth.rt.dcm"], files["found.dcm"], *options)
    assert done.code == 0, done.err
    with (tmp_path / "out" / "per_case.csv").open() as file:
        (row,) = csv.DictReader(file)
    expected = scored(files["truth.nii"], files["found.nii"]).volume.dice
    assert float(row["dice"]) == pytest.approx(expected, abs=1e-4)


def test_a_segmentation_of_another_scan_is_an_error(files: dict[str, Path], tmp_path: Path) -> None:
    image: Any = nib.load(files["truth.nii"])
    affine = image.affine.copy()
    affine[0, 3] += 3
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj), affine), tmp_path / "moved.nii")
    with pytest.raises(GridError, match="prediction 1 of 1 by name: "):
        scored(tmp_path / "moved.nii", files["found.dcm"])
