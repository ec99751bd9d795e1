"""Scores of each class: of a network on a split, and of masks made by any tool."""

import csv
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from rma_mamba.datasets.audit.source_audit import require_sound_data
from rma_mamba.datasets.cases import read_cases
from rma_mamba.evaluation import ScoreSummary, pair_masks, score_pairs, score_patients
from rma_mamba.evaluation.class_tables import classes_to_markdown
from rma_mamba.evaluation.score_files import write_scores
from rma_mamba.experiments.score_cache import load_scores, save_scores
from rma_mamba.inference import Segmenter
from rma_mamba.training.config import Recipe
from tumours import AFFINE, EXCLUSIVE, NESTED, scan_with_tumour, tumour_recipe, write_tumours


class Constant(nn.Module):
    """Liver everywhere in the body, tumour nowhere."""

    def forward(self, images: Tensor) -> list[Tensor]:
        inside = torch.where(images[:, 1:2] > 0.1, 9.0, -9.0)
        return [torch.cat([inside, torch.full_like(inside, -9.0)], 1)]


def read(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


@pytest.mark.parametrize("labels", [NESTED, EXCLUSIVE], ids=["nested", "exclusive"])
def test_each_class_of_a_network_is_scored(tmp_path: Path, labels: dict[str, Any]) -> None:
    root = write_tumours(tmp_path / "data")
    data = Recipe.model_validate(tumour_recipe(root, tmp_path / "run", labels)).data
    segmenter = Segmenter(Constant(), data.recipe, island_share=0)
    (patient,) = score_patients(segmenter, data)
    (case,) = patient.cases
    liver, tumour = case.classes
    _, label = scan_with_tumour(4)
    true = label > 0 if labels is NESTED else label == 1
    ml = np.count_nonzero(true) * 0.128
    assert liver.score.reference_ml == pytest.approx(ml)
    assert liver.score.recall > 0.95
    assert liver.lesions is None
    assert tumour.score.dice == 0
    assert tumour.lesions is not None
    assert tumour.lesions.sensitivity == 0
    assert tumour.lesions.false_positives == 0
    assert case.volume is not None
    assert case.volume.reference_ml == pytest.approx(ml)
    text = classes_to_markdown([case])
    assert "tumour | 1 | 0.000" in text
    write_scores(tmp_path / "out", [case], ScoreSummary.of([case]))
    rows = read(tmp_path / "out" / "lesions.csv")
    assert [row["detected"] for row in rows] == ["False"]
    assert [row["class"] for row in read(tmp_path / "out" / "per_class.csv")] == ["liver", "tumour"]


def test_masks_of_any_tool_are_scored_by_class(tmp_path: Path) -> None:
    for folder, seeds in (("true", (0, 1)), ("found", (0, 2))):
        (tmp_path / folder).mkdir()
        for number, seed in enumerate(seeds):
            image = nib.Nifti1Image(scan_with_tumour(seed)[1], AFFINE)
            nib.save(image, tmp_path / folder / f"case_{number}.nii.gz")
    pairing = pair_masks(tmp_path / "true", [tmp_path / "found"])
    same, other = score_pairs(pairing, classes={"liver": (1, 2), "tumour": (2,)})
    assert [each.score.dice for each in same.classes] == [1.0, 1.0]
    assert other.classes[1].score.dice < 1
    text = classes_to_markdown([same, other])
    assert "| masks | tumour | 2 | 2 |" in text
    assert classes_to_markdown(list(score_pairs(pairing))) == ""


def test_slices_with_tumours_are_scored_by_class(tmp_path: Path) -> None:
    root = tmp_path / "data"
    for kind in ("images", "labels"):
        (root / kind).mkdir(parents=True)
    for seed in range(3):
        values, label = scan_with_tumour(seed)
        grey = ((values.clip(-160, 240) + 160) / 400 * 255).astype(np.uint8)
        for k in range(label.shape[2]):
            name = f"{seed}_{k}.png"
            mask = np.array([0, 127, 255], np.uint8)[label[:, :, k]]
            Image.fromarray(np.ascontiguousarray(grey[:, :, k].T)).save(root / "images" / name)
            Image.fromarray(np.ascontiguousarray(mask.T)).save(root / "labels" / name)
    content = tumour_recipe(root, tmp_path / "run")
    source = {
        "name": "slices",
        "kind": "slices",
        "dataset": "lits",
        "images": "images",
        "labels": "labels",
        "patient": r"(\d)_\d\.png",
        "pixel_mm": 4.0,
        "classes": {"liver": [127, 255], "tumour": [255]},
    }
    content["data"] |= {"sources": [source], "splits": {"lits": {"val": ["1"], "test": ["2"]}}}
    data = Recipe.model_validate(content).data
    require_sound_data(data, ("train", "val", "test"))
    (train,) = read_cases(data, "train")
    assert set(np.unique(train.labels)) == {0, 1, 3}
    (patient,) = score_patients(Segmenter(Constant(), data.recipe, island_share=0), data)
    assert [len(case.classes) for case in patient.cases] == [2] * 6
    save_scores(tmp_path / "scores.json", "key", patient.cases)
    assert repr(load_scores(tmp_path / "scores.json", "key")) == repr(list(patient.cases))  # NaN
