"""Predictions are matched to references by file name, and scored on the same grid."""

import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from nibabel.orientations import axcodes2ornt, io_orientation, ornt_transform

from rma_mamba.errors import ConfigError, GridError, ScanError
from rma_mamba.evaluation import pair_masks, score_pairs
from rma_mamba.evaluation.mask_pairs import method_names

AFFINE = np.diag([2.0, 2.0, 5.0, 1.0])


def rod(length: int = 8, value: float = 1, dtype: type = np.uint8) -> np.ndarray:
    mask = np.zeros((12, 10, 6), dtype)
    mask[2 : 2 + length, 3:7, 1:4] = value
    return mask


def save(path: Path, mask: np.ndarray, affine: np.ndarray = AFFINE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(mask, affine), path)
    return path


def dice(tmp_path: Path, found: np.ndarray, *labels: int, affine: np.ndarray = AFFINE) -> float:
    reference = save(tmp_path / "reference.nii.gz", rod())
    prediction = save(tmp_path / "prediction.nii.gz", found, affine)
    (case,) = score_pairs(pair_masks(reference, [prediction]), (1,), labels or None)
    assert case.volume is not None
    return case.volume.dice


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.float32, np.float64])
@pytest.mark.parametrize("value", [1, 255])
def test_masks_of_any_dtype_are_read(tmp_path: Path, dtype: type, value: int) -> None:
    assert dice(tmp_path, rod(value=value, dtype=dtype)) == 1


def test_labels_select_the_liver(tmp_path: Path) -> None:
    found = rod(value=6)
    found[:, 0] = 2  # another organ
    assert dice(tmp_path, found, 6) == 1
    assert dice(tmp_path, found, 6, 2) < 1
    assert dice(tmp_path, found, 3) == 0


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (rod(value=0.7, dtype=np.float32), "not whole numbers"),
        (np.where(rod() > 0, 1, np.nan).astype(np.float32), "not finite"),
        (np.full((12, 10, 6), np.nan, np.float32), "no voxel"),
    ],
    ids=["probabilities", "some NaN", "all NaN"],
)
def test_values_that_are_not_labels_are_rejected(
    tmp_path: Path, found: np.ndarray, message: str
) -> None:
    with pytest.raises(ScanError, match=f"prediction 1 of 1 by name: .*{message}"):
        dice(tmp_path, found)


@pytest.mark.parametrize("order", ["LPS", "SAR", "ILP", "PSL"])
def test_a_different_axis_order_is_the_same_grid(tmp_path: Path, order: str) -> None:
    image = nib.Nifti1Image(rod(7), AFFINE)
    turned = image.as_reoriented(ornt_transform(io_orientation(AFFINE), axcodes2ornt(order)))
    as_stored = dice(tmp_path / "a", rod(7))
    assert dice(tmp_path / "b", np.asarray(turned.dataobj), affine=turned.affine) == as_stored < 1


def test_a_different_grid_is_rejected_with_a_description_of_both(tmp_path: Path) -> None:
    moved = AFFINE.copy()
    moved[0, 3] = 3
    both = r"12 x 10 x 6 voxels of 2 x 2 x 5 mm.*12 x 10 x 6 voxels of 2 x 2 x 5 mm.*3 mm apart"
    with pytest.raises(GridError, match=both):
        dice(tmp_path / "moved", rod(), affine=moved)
    finer = np.diag([1.0, 2.0, 5.0, 1.0])
    with pytest.raises(GridError, match=r"24 x 10 x 6 voxels of 1 x 2 x 5 mm.*nearest-neighbour"):
        dice(tmp_path / "finer", rod().repeat(2, axis=0), affine=finer)


def folders(tmp_path: Path) -> tuple[Path, Path]:
    for case in ("p1_t1", "p1_t2", "p2_t1"):
        save(tmp_path / "reference" / f"{case}.nii.gz", rod())
        save(tmp_path / "tool" / f"{case}.nii", rod(6))
    return tmp_path / "reference", tmp_path / "tool"


def test_files_are_matched_by_name(tmp_path: Path) -> None:
    reference, tool = folders(tmp_path)
    save(reference / "._p1_t1.nii.gz", rod())  # written by some file systems next to a file
    pairs = pair_masks(reference, [tool]).pairs
    assert [pair.patient for pair in pairs] == ["p1_t1", "p1_t2", "p2_t1"]
    assert [pair.predictions["tool"] for pair in pairs] == sorted(tool.iterdir())
    by_patient = pair_masks(reference, [tool], patient=r"p(\d)_").pairs
    assert [pair.patient for pair in by_patient] == ["1", "1", "2"]
    assert [pair.patient for pair in pair_masks(reference, [tool], patient="p.").pairs][2] == "p2"


def test_a_missing_prediction_is_an_error_or_an_empty_mask(tmp_path: Path) -> None:
    reference, tool = folders(tmp_path)
    (tool / "p1_t2.nii").unlink()
    save(tool / "p9.nii", rod())
    with pytest.raises(ConfigError, match=r"lacks 1 of 3 masks .*number 2\).*--missing-as-empty"):
        pair_masks(reference, [tool])
    pairing = pair_masks(reference, [tool], missing_as_empty=True)
    missing, extra = pairing.remarks
    assert "tool: 1 predictions are missing" in missing
    assert "tool: 1 predictions have no reference" in extra
    kinds = [case.volume.empty for case in score_pairs(pairing) if case.volume]
    assert kinds == ["neither", "prediction", "neither"]


def test_a_mask_without_the_selected_labels_gives_a_warning(tmp_path: Path) -> None:
    liver, spleen = (save(tmp_path / f"{value}.nii", rod(value=value)) for value in (1, 2))
    pairing = pair_masks(liver, [spleen])
    warnings: list[str] = []
    steps: list[tuple[int, int]] = []
    list(score_pairs(pairing, (1,), warn=warnings.append, progress=lambda *at: steps.append(at)))
    assert warnings == ["prediction 1 of 1 by name has labels, but none is 1: it counts as empty."]
    assert steps == [(1, 1)]


def test_methods_have_the_shortest_distinct_names(tmp_path: Path) -> None:
    assert method_names([tmp_path / "a" / "masks", tmp_path / "b" / "masks"]) == [
        "a/masks",
        "b/masks",
    ]
    assert method_names([tmp_path / "a.nii.gz", tmp_path / "b.nii.gz"]) == ["a", "b"]
    with pytest.raises(ConfigError, match="passed twice"):
        method_names([tmp_path / "a", tmp_path / "a"])


def test_inconsistent_folders_are_rejected(tmp_path: Path) -> None:
    reference, tool = folders(tmp_path)
    one = reference / "p1_t1.nii.gz"
    with pytest.raises(ConfigError, match="the reference is missing"):
        pair_masks(tmp_path / "nowhere", [tool])
    with pytest.raises(ConfigError, match="prediction folder 1 is a single file"):
        pair_masks(reference, [one])
    with pytest.raises(ConfigError, match="files for all or folders for all"):
        pair_masks(one, [tool])
    with pytest.raises(ConfigError, match="not a valid regular expression"):
        pair_masks(reference, [tool], patient="(")
    with pytest.raises(ConfigError, match="does not match the patient pattern"):
        pair_masks(reference, [tool], patient="q")
    save(tool / "p1_t1.nii.gz", rod())
    with pytest.raises(ConfigError, match="two files with the same name"):
        pair_masks(reference, [tool])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=r"no mask \(.nii.gz, .nii, "):
        pair_masks(reference, [tmp_path / "empty"])


def test_a_name_that_is_not_utf_8_becomes_text(tmp_path: Path) -> None:
    for folder in ("reference", "prediction"):
        save(tmp_path / folder / "a.nii", rod()).rename(
            tmp_path / folder / os.fsdecode(b"gr\xf6.nii")
        )
        (tmp_path / folder / "Thumbs.db").write_bytes(b"")
    (pair,) = pair_masks(tmp_path / "reference", [tmp_path / "prediction"]).pairs
    assert pair.case == pair.patient == "gr\\udcf6"
