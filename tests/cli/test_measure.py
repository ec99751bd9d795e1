import csv
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

BOX_ML = 8 * 5 * 4 * 20 / 1000


@pytest.fixture
def mask(scan: Path) -> Path:
    """The box of the scan as label 5, and another organ as label 2."""
    values = (np.asarray(nib.load(scan).dataobj) > 500).astype(np.uint8) * 5
    values[0, 0, 0] = 2
    path = scan.parent / "mask.nii.gz"
    nib.save(nib.Nifti1Image(values, nib.load(scan).affine), path)
    return path


def table(text: str) -> dict[str, float]:
    return {name: float(value) for name, value in map(str.split, text.splitlines())}


def test_a_mask_from_any_tool_is_measured_with_its_scan(command, scan, mask, tmp_path) -> None:
    files = ("--json", tmp_path / "a.json", "--csv", tmp_path / "a.csv")
    size = ("--height-cm", "175", "--weight-kg", "80")
    done = command("measure", mask, "--scan", scan, "--label", "5", *size, *files)
    assert done.code == 0
    printed = table(done.out)
    assert printed["volume_ml"] == pytest.approx(BOX_ML)
    assert printed["intensity_mean_au"] == 1000
    assert printed["intensity_sd_au"] == 0
    assert printed["standard_volume_vauthey_ml"] == pytest.approx(1704.7, abs=0.1)
    assert "not reference limits" in done.err
    written = json.loads((tmp_path / "a.json").read_text())
    with (tmp_path / "a.csv").open() as file:
        (row,) = csv.DictReader(file)
    for name, value in printed.items():
        assert written[name] == float(row[name]) == pytest.approx(value, rel=1e-5)
    assert "mask" not in (tmp_path / "a.csv").read_text()


def test_all_labels_are_liver_unless_some_are_selected(command, mask) -> None:
    assert table(command("measure", mask).out)["volume_ml"] == pytest.approx(BOX_ML + 0.02)
    done = command("measure", mask, "--label", "7")
    assert table(done.out)["volume_ml"] == 0
    assert "none of the selected label values" in done.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--height-cm", "175"), "only one of height and weight"),
        (("--height-cm", "1.75", "--weight-kg", "80"), "expected 40 to 250 cm"),
        (("--json", "a.txt"), "expected a path ending in .json"),
    ],
)
def test_wrong_settings_are_one_line_errors(command, mask, options, said: str) -> None:
    done = command("measure", mask, *options)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert said in done.err


def test_a_scan_on_another_grid_is_refused_and_nothing_is_written(
    command, scan, mask, tmp_path
) -> None:
    image = nib.load(scan)
    other = tmp_path / "other.nii.gz"
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj), np.diag([2.0, 2.0, 4.0, 1.0])), other)
    done = command("measure", mask, "--scan", other, "--json", tmp_path / "a.json")
    assert (done.code, done.err.count("\n")) == (4, 1)
    assert "expected the same grid" in done.err
    assert not (tmp_path / "a.json").exists()


def test_both_grids_are_described_in_the_same_axis_order(command, scan, mask, tmp_path) -> None:
    image = nib.load(scan)
    aside = image.affine.copy()
    aside[0, 3] += 5
    other = tmp_path / "other.nii.gz"
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj), aside), other)
    said = command("measure", mask, "--scan", other).err
    described = said.split("(", 1)[1].split(") differs from that of the scan (")
    ours, theirs = (part.partition(" around ") for part in described)
    assert ours[0] == theirs[0]
    assert ours[2] != theirs[2]


def test_warnings_about_the_mask_are_printed(command, scan, mask) -> None:
    image = nib.load(mask)
    image.header.set_xyzt_units("meter")
    path = scan.parent / "metres.nii.gz"
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj), image.affine, image.header), path)
    assert "is implausible" in command("measure", path).err
    assert "is implausible" not in command("measure", mask).err
    nib.save(nib.Nifti1Image(np.zeros(image.shape, np.uint8), image.affine), path)
    assert "same value" not in command("measure", path).err
