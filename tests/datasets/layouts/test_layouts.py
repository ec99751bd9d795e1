"""Each published form is recognised and read as it is meant."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from layouts import (
    scan,
    write_chaos,
    write_cirrmri,
    write_folders,
    write_lits,
    write_msd,
    write_nnunet,
)
from rma_mamba.datasets.layouts import (
    LAYOUTS,
    DatasetIndex,
    IndexedCase,
    LayoutOptions,
    detect,
    open_dataset,
)
from rma_mamba.datasets.layouts.case_reader import read_images
from rma_mamba.errors import ConfigError, GridError

WRITERS: dict[str, Callable[[Path], Path]] = {
    "cirrmri600": write_cirrmri,
    "chaos": write_chaos,
    "msd-liver": write_msd,
    "lits": write_lits,
    "nnunet": write_nnunet,
    "folders": write_folders,
}


def entry(dataset: DatasetIndex, name: str) -> IndexedCase:
    return next(each for each in dataset.cases if each.name == name)


def liver(case: IndexedCase) -> np.ndarray:
    (part,) = read_images(case)
    assert part.label is not None
    assert part.label.geometry.matches(part.image.geometry)
    return case.rule.liver_in(part.label.values)


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_is_told_from_its_folder(tmp_path: Path, name: str) -> None:
    folder = WRITERS[name](tmp_path)
    assert detect(folder) == name
    dataset = open_dataset("auto", folder)
    assert dataset.name == name
    names = [each.name for each in dataset.cases]
    assert len(set(names)) == len(names)
    assert all(path.exists() for each in dataset.cases for path in each.files)


@pytest.mark.parametrize("name", LAYOUTS)
def test_an_empty_folder_is_one_line_that_says_what_was_expected(tmp_path: Path, name: str) -> None:
    assert detect(tmp_path) is None
    with pytest.raises(ConfigError) as caught:
        open_dataset(name, tmp_path)
    assert LAYOUTS[name].expected in str(caught.value)
    with pytest.raises(ConfigError, match="does not exist"):
        open_dataset(name, tmp_path / "lost")


def test_a_wrong_name_is_told_the_right_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="looks like 'folders'"):
        open_dataset("lits", write_folders(tmp_path, 1))
    with pytest.raises(ConfigError, match="expected one of cirrmri600"):
        open_dataset("other", tmp_path)


def test_cirrmri_has_the_published_split_in_every_sequence(tmp_path: Path) -> None:
    dataset = open_dataset("cirrmri600", write_cirrmri(tmp_path))
    counts = Counter((each.sequence, each.split) for each in dataset.cases)
    for sequence in ("T1", "T2"):
        assert [counts[sequence, side] for side in ("train", "val", "test")] == [6, 1, 1]
    assert [counts["T2 2D", side] for side in ("train", "val", "test")] == [1, 1, 1]
    assert counts["T1 healthy", "test"] == counts["T2 healthy", "test"] == 1
    cohorts = {each.dataset for each in dataset.cases if "healthy" in each.sequence}
    assert cohorts == {"cirrmri600-healthy"}  # its patient 1 is not patient 1 of the others
    assert dataset.severity["1"] == "moderate"
    assert dataset.severity["2"] == "severe"
    assert np.array_equal(liver(entry(dataset, "T2/valid/0007")), scan(107)[1])
    flat = entry(dataset, "T2 2D/train/0001")
    assert [path.stem for path in flat.images] == [str(k) for k in range(10)]
    parts = [flat.rule.liver_in(part.label.values) for part in read_images(flat) if part.label]
    assert np.array_equal(np.concatenate(parts, axis=2), scan(101)[1])


@pytest.mark.parametrize("given", [".", "Cirrhosis_T1_3D", "Cirrhosis_T1_3D/Cirrhosis_T1_3D"])
def test_a_folder_doubled_by_unzipping_is_understood(tmp_path: Path, given: str) -> None:
    dataset = open_dataset("cirrmri600", write_cirrmri(tmp_path) / given, sequences=["t1"])
    assert [each.sequence for each in dataset.cases] == ["T1"] * 8


def test_an_unknown_sequence_names_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected one of T1, T2, T2 2D"):
        open_dataset("cirrmri600", write_cirrmri(tmp_path), sequences=["T3"])


@pytest.mark.parametrize(("name", "numbers"), [("lits", "0 30 130"), ("msd-liver", "3 31 99")])
def test_the_split_of_lits_is_by_case_number(tmp_path: Path, name: str, numbers: str) -> None:
    dataset = open_dataset(name, WRITERS[name](tmp_path))
    assert [each.name for each in dataset.cases] == numbers.split()
    assert [each.split for each in dataset.cases] == ["test", "val", "train"]


def test_the_liver_of_lits_is_with_the_tumour_or_without(tmp_path: Path) -> None:
    root = write_lits(tmp_path)
    whole = liver(open_dataset("lits", root).cases[0])
    without = liver(open_dataset("lits", root, LayoutOptions(liver=(1,))).cases[0])
    assert np.array_equal(whole, scan(0)[1])
    assert whole.sum() - without.sum() == 9


def test_the_masks_of_chaos_follow_the_names_of_its_series(tmp_path: Path) -> None:
    dataset = open_dataset("chaos", write_chaos(tmp_path))
    assert dataset.sequences == ["T1 in phase", "T1 out of phase", "T2", "CT"]
    assert {each.dataset for each in dataset.cases} == {"chaos-mr", "chaos-ct"}
    for number in (1, 2):  # one of them runs from head to foot
        for sequence in dataset.sequences[:3]:
            assert np.array_equal(
                liver(entry(dataset, f"{sequence}/{number}")), scan(10 * number)[1]
            )
        assert np.array_equal(liver(entry(dataset, f"CT/{number}")), scan(50 + number)[1])


def test_a_mask_too_few_is_no_grid_of_a_series(tmp_path: Path) -> None:
    next((write_chaos(tmp_path) / "Train_Sets/CT/1/Ground").glob("*.png")).unlink()
    with pytest.raises(GridError, match="10 slices and 9 masks"):
        liver(entry(open_dataset("chaos", tmp_path), "CT/1"))


def test_nnunet_tells_the_liver_the_modality_and_its_folds(tmp_path: Path) -> None:
    folder = write_nnunet(tmp_path)
    by_visit = open_dataset("nnunet", folder)
    assert [len(fold) for fold in by_visit.folds] == [2, 2]
    dataset = open_dataset("nnunet", folder, LayoutOptions(patient=r"(p.)_\d"))
    assert dataset.folds == (("pA",), ("pB",))
    assert [each.patient for each in dataset.cases] == ["pA", "pA", "pB", "pB", "pC", "pC", "pD"]
    assert dataset.cases[-1].split == "test"
    assert dataset.cases[0].modality == "MR"
    assert dataset.cases[0].rule.liver == {1, 2}
    assert dataset.cases[0].dataset == "dataset021_liver"
    assert open_dataset("nnunet", folder, LayoutOptions(liver=(1,))).cases[0].rule.liver == {1}


def test_nnunet_reads_its_first_version_and_refuses_labels_without_liver(tmp_path: Path) -> None:
    folder = write_nnunet(tmp_path)
    described = {
        "modality": {"0": "CT"},
        "labels": {"0": "background", "1": "spleen", "6": "liver"},
    }
    (folder / "dataset.json").write_text(json.dumps(described))
    dataset = open_dataset("nnunet", folder)
    assert (dataset.cases[0].modality, dataset.cases[0].rule.liver) == ("CT", {6})
    (folder / "dataset.json").write_text(json.dumps({"labels": {"background": 0, "spleen": 1}}))
    with pytest.raises(ConfigError, match=r"defines the labels spleen; .*--liver"):
        open_dataset("nnunet", folder)
    for content in ("[]", "{", '{"labels": 3}'):
        (folder / "dataset.json").write_text(content)
        with pytest.raises(ConfigError, match=r"dataset\.json"):
            open_dataset("nnunet", folder)


def test_a_published_fold_with_a_patient_on_both_sides_is_refused(tmp_path: Path) -> None:
    folder = write_nnunet(tmp_path)
    path = tmp_path / "nnUNet_preprocessed" / folder.name / "splits_final.json"
    path.write_text(json.dumps([{"train": ["pA_1"], "val": ["pA_2"]}]))
    assert len(open_dataset("nnunet", folder).folds) == 1
    with pytest.raises(ConfigError, match=r"data leakage: 1 patients of fold 0"):
        open_dataset("nnunet", folder, LayoutOptions(patient=r"(p.)_\d"))
    path.write_text("{}[")
    with pytest.raises(ConfigError, match="is not valid"):
        open_dataset("nnunet", folder)


def test_plain_folders_may_hold_series_and_slices_too(tmp_path: Path) -> None:
    chaos = write_chaos(tmp_path / "chaos") / "Train_Sets/CT/1"
    root = write_folders(tmp_path / "mine", 1)
    shutil.copytree(chaos / "DICOM_anon", root / "images" / "series_7")
    for k, path in enumerate(sorted((chaos / "Ground").iterdir())):
        for kind in ("images", "labels"):
            shutil.copy(path, root / kind / f"p03_z{k}.png")
    dataset = open_dataset("folders", root)
    assert [each.name for each in dataset.cases] == ["case_0", "series_7", "slices/p03"]
    assert dataset.cases[1].labels == ()
    assert [path.stem for path in dataset.cases[2].images][-1] == "p03_z9"
    renamed = open_dataset("folders", root, LayoutOptions(patient=r"\D*(\d+).*"))
    assert [each.patient for each in renamed.cases] == ["0", "7", "3"]
    mask = Image.open(root / "labels" / "p03_z5.png")
    expected = np.asarray(mask).T
    (root / "labels" / "p03_z5.png").unlink()
    mask.save(root / "labels" / "p03_z5.jpg", quality=60)
    parts = list(read_images(open_dataset("folders", root).cases[2]))
    assert parts[5].label is not None
    assert set(np.unique(parts[5].label.values)) == {0, 255}  # without the ringing of JPG
    assert (parts[5].label.values[:, :, 0] != expected).mean() < 0.02
    for wrong in ("(", "case", "x(.*)"):
        with pytest.raises(ConfigError, match="--patient"):
            open_dataset("folders", root, LayoutOptions(patient=wrong))
