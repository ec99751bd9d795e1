"""Training on several scans of each patient, with missing ones."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from rma_mamba.evaluation import score_segmenter
from rma_mamba.inference import Segmenter
from rma_mamba.models.weights import read_checkpoint
from rma_mamba.training import load_recipe, train
from rma_mamba.training.toml_writer import to_toml
from two_scans import recipe_content, volume, write_two_scans


def written(tmp_path: Path, **data: object) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(to_toml(recipe_content(tmp_path / "data", tmp_path / "run", **data)))
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_two_scans(tmp_path / "data", missing=[("P1", "T1")])


def test_two_scans_are_trained_on_scored_and_stored_with_the_weights(
    tmp_path: Path, data: Path
) -> None:
    recipe = written(tmp_path, augment={"channel_dropout": 0.3, "noise": 0.5})
    weights = train(recipe, quiet=True)
    checkpoint = read_checkpoint(weights)
    assert checkpoint.settings["input_channels"] == 6
    assert tuple(checkpoint.recipe["channel_names"]) == ("T1", "T2")
    assert checkpoint.provenance["recipe"]["data"]["augment"]["channel_dropout"] == 0.3
    manifest = json.loads((tmp_path / "run" / "data_manifest.json").read_text())
    assert [each.get("missing_channels") for each in manifest] == [["T1"], None, None]
    segmenter = Segmenter.load(weights, device="cpu")
    scores = score_segmenter(segmenter, load_recipe(recipe).data, "test")
    assert [score.case for score in scores] == ["P3"]
    result = segmenter({"T2": volume(2)})
    assert any(
        "channel T1 is missing" in text and "dropout 0.3" in text for text in result.warnings
    )


def test_a_resumed_run_draws_the_same_channels(tmp_path: Path, data: Path) -> None:
    recipe = written(tmp_path, augment={"channel_dropout": 0.5})
    states = []
    for name, epochs in (("whole", (2,)), ("parts", (1, 2))):
        for n in epochs:
            settings = [f"run.folder={tmp_path / name}", f"training.epochs={n}"]
            states.append(read_checkpoint(train(recipe, settings, resume=True, quiet=True)).state)
    whole, _, resumed = states
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)


def test_stacks_of_two_scans_are_trained_from_weights_for_one(tmp_path: Path, data: Path) -> None:
    recipe = written(
        tmp_path,
        stack_depths=[1, 3],
        slices_per_epoch=12,
        recipe={"size": 32, "spacing_mm": 3.0, "modality_plane": True, "through_plane_mm": 6.0},
        augment={"channel_dropout": 0.3, "spatial": 0.5, "slice_jumps": 0.5, "lesions": 0.5},
    )
    weights = train(recipe, ["model.name=rma-mamba-z", "training.epochs=1"], quiet=True)
    assert read_checkpoint(weights).settings["input_channels"] == 7
    mask = Segmenter.load(weights, device="cpu")({"T1": volume(1), "T2": volume(2)}).mask
    assert np.isin(mask.labels, (0, 1)).all()
