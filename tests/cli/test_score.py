"""`rma-mamba score` on folders of masks."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

AFFINE = np.diag([2.0, 2.0, 5.0, 1.0])


def liver(case: int) -> np.ndarray:
    mask = np.zeros((24, 32, 6), np.uint8)
    mask[4 : 12 + case, 5:15, 1:5] = 1
    return mask


def save(folder: Path, case: int, mask: np.ndarray, affine: np.ndarray = AFFINE) -> None:
    folder.mkdir(exist_ok=True)
    nib.save(nib.Nifti1Image(mask, affine), folder / f"case_{case}.nii.gz")


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    for case in range(3):
        save(tmp_path / "reference", case, liver(case))
    return tmp_path / "reference"


def predict(folder: Path, change=lambda mask: mask) -> Path:
    for case in range(3):
        save(folder, case, change(liver(case)))
    return folder


def rows(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_a_shift_by_one_row_is_its_spacing(command, reference, tmp_path) -> None:
    shifted = predict(tmp_path / "shifted", lambda mask: np.roll(mask, 1, axis=1))
    done = command("score", reference, shifted, "-o", tmp_path / "out", "--patient", r"_(\d+)")
    assert done.code == 0, done.err
    assert (
        "3 volumes of 3 patients. Empty masks: both 0, reference only 0, prediction only 0."
        in done.out
    )
    assert "| hd_mm | 2.00 | 2.00 to 2.00 | 2.00 | 2.00 to 2.00 | 2.00 (0) | 0 |" in done.out
    assert "| dice | 0.900 |" in done.out
    cases = rows(tmp_path / "out" / "per_case.csv")
    assert [(row["patient"], row["case"]) for row in cases] == [(c, f"case_{c}") for c in "012"]
    assert {row["hd_mm"] for row in cases} == {"2.0"}
    slices = rows(tmp_path / "out" / "per_slice.csv")
    assert len(slices) == 3 * 6
    assert {row["row_distance_paper"] for row in slices} == {"0.0"}
    assert [row["empty"] for row in slices[:3]] == ["both", "neither", "neither"]


def test_an_empty_prediction_is_counted_and_has_no_distance(command, reference, tmp_path) -> None:
    empty = predict(tmp_path / "empty", lambda mask: 0 * mask)
    done = command("score", reference, empty)
    assert done.code == 0, done.err
    assert "prediction only 3." in done.out
    assert "| hd_mm | - | - | - | - | - | 3 |" in done.out
    assert "| dice | 0.000 |" in done.out
    assert "| precision | 1.000 |" in done.out  # by the paper's protocol


def test_masks_of_0_and_255_and_of_floats_are_accepted(command, reference, tmp_path) -> None:
    bytes_255 = predict(tmp_path / "bytes", lambda mask: 255 * mask)
    floats = predict(tmp_path / "floats", lambda mask: mask.astype(np.float32))
    done = command("score", reference, bytes_255, floats, "--label", "1")
    assert done.code == 0, done.err
    assert done.out.count("| dice | 1.000 |") == 2 * 3
    assert "| dice | bytes - floats | 3 | 0.000 | 0.000 to 0.000 | 1 | 1 |" in done.out


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda mask: np.where(mask > 0, 1, np.nan).astype(np.float32), "not finite numbers"),
        (lambda mask: 0.6 * mask.astype(np.float32), "not whole numbers (range 0 to 0.6)"),
    ],
    ids=["NaN", "probabilities"],
)
def test_a_file_that_is_not_a_mask_is_a_one_line_error(
    command, reference, tmp_path, change, message
) -> None:
    done = command("score", reference, predict(tmp_path / "bad", change), "-o", tmp_path / "out")
    assert (done.code, done.out) == (4, "")
    assert message in done.err
    assert done.err.count("\n") == 1
    assert "case_" not in done.err
    assert not (tmp_path / "out").exists()


def test_a_different_affine_is_a_one_line_error_that_describes_both_grids(
    command, reference, tmp_path
) -> None:
    tool = predict(tmp_path / "tool")
    save(tool, 1, liver(1), AFFINE @ np.diag([1, 1, 0.5, 1]))
    done = command("score", reference, tool)
    assert (done.code, done.out) == (4, "")
    assert done.err.startswith("rma-mamba: error: prediction 2 of 3 by name: the prediction is on")
    assert "24 x 32 x 6 voxels of 2 x 2 x 2.5 mm" in done.err
    assert "24 x 32 x 6 voxels of 2 x 2 x 5 mm" in done.err
    assert done.err.count("\n") == 1


def test_a_mirrored_affine_is_the_same_grid(command, reference, tmp_path) -> None:
    tool = predict(tmp_path / "tool")
    mirrored = AFFINE @ np.diag([-1.0, 1, 1, 1])
    mirrored[0, 3] = 2 * 23
    save(tool, 1, liver(1)[::-1], mirrored)
    done = command("score", reference, tool)
    assert done.code == 0, done.err
    assert "| dice | 1.000 | 1.000 to 1.000 |" in done.out


def test_missing_predictions_are_refused_or_counted_as_empty(command, reference, tmp_path) -> None:
    tool = predict(tmp_path / "tool")
    (tool / "case_1.nii.gz").unlink()
    save(tool, 7, liver(0))
    done = command("score", reference, tool)
    assert (done.code, done.out) == (2, "")
    assert "lacks 1 of 3 masks" in done.err
    done = command("score", reference, tool, "--missing-as-empty")
    assert done.code == 0
    assert "prediction only 1." in done.out
    assert "1 predictions are missing" in done.err
    assert "1 predictions have no reference" in done.err


def test_several_methods_are_tested_against_each_other(command, reference, tmp_path) -> None:
    good = predict(tmp_path / "good")
    shifted = predict(tmp_path / "shifted", lambda mask: np.roll(mask, 2, axis=1))
    thin = predict(tmp_path / "thin", lambda mask: mask * (np.arange(6) < 3).astype(np.uint8))
    out = tmp_path / "out"
    done = command("score", reference, good, shifted, thin, "-o", out, "-q")
    assert done.code == 0, done.err
    assert done.err == ""
    tests = [row for row in rows(out / "tests.csv") if row["protocol"] == "per_volume"]
    dice = [row for row in tests if row["metric"] == "dice"]
    assert [(row["first"], row["second"]) for row in dice] == [
        ("good", "shifted"),
        ("good", "thin"),
        ("shifted", "thin"),
    ]
    assert {(row["p"], row["p_holm"]) for row in dice} == {("0.25", "0.75")}
    summaries = json.loads((out / "summary.json").read_text())["summaries"]
    assert {each["method"] for each in summaries} == {"good", "shifted", "thin"}


def test_two_files_can_be_compared(command, reference, tmp_path) -> None:
    done = command("score", reference / "case_0.nii.gz", reference / "case_1.nii.gz")
    assert done.code == 0, done.err
    assert "1 volume of 1 patient." in done.out
    assert "| volume_error_ml | 0.8 | - |" in done.out


def test_an_output_that_cannot_be_written_is_reported_before_any_work(command, reference) -> None:
    file = reference / "case_0.nii.gz"
    done = command("score", reference, reference, "-o", file)
    assert (done.code, done.out) == (2, "")
    assert "folder cannot be written" in done.err


def test_scoring_needs_no_torch(reference, tmp_path) -> None:
    script = (
        "import sys\n"
        "from rma_mamba.cli.run import run\n"
        f"code = run(['score', {str(reference)!r}, {str(reference)!r}])\n"
        "print(code, 'torch' in sys.modules, file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stderr.endswith("0 False\n")
