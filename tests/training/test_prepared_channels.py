"""Datasets with two channels go from `data prepare` through training and scoring to `segment`."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from command_line import Finished, command
from layouts import save_image
from rma_mamba.training.toml_writer import to_toml
from tiny import MODEL, RECIPE, TRAINING
from two_scans import write_nnunet_channels

__all__ = ["command"]


def nnunet(folder: Path) -> tuple[list[str], dict[str, Path]]:
    """Arguments of `data prepare`, and the scans of a patient."""
    raw = write_nnunet_channels(folder)
    images = {name: raw / "imagesTr" / f"A_000{n}.nii.gz" for n, name in enumerate(("T1", "T2"))}
    return ["nnunet", str(raw), "--channel", "T1", "--channel", "T2"], images


def slices(folder: Path) -> tuple[list[str], dict[str, Path]]:
    """The same for PNG slices."""
    random = np.random.default_rng(0)
    for number, place in enumerate(("train/1", "train/2", "valid/3", "test/4")):
        label = np.zeros((48, 40), np.uint8)
        label[8 : 20 + 2 * number, 12 : 30 - number] = 255
        for k in range(3):
            for sequence, factor in (("T1", 1), ("T2", -1)):
                texture = random.integers(0, 20, label.shape)
                levels = (120 + factor * (label // 4).astype(int) + texture).astype(np.uint8)
                case = folder / f"Cirrhosis_{sequence}_2D" / place
                save_image(case / "images" / f"{k}.png", levels)
                save_image(case / "masks" / f"{k}.png", label)
    images = {name: folder / f"Cirrhosis_{name}_2D/test/4/images/1.png" for name in ("T1", "T2")}
    channels = [text for name in images for text in ("--channel", f"{name}={name} 2D")]
    return ["cirrmri600", str(folder), *channels], images


@pytest.mark.parametrize("write", [nnunet, slices])
def test_two_channels_from_prepare_to_segment(
    tmp_path: Path,
    command: Callable[..., Finished],
    write: Callable[[Path], tuple[list[str], dict[str, Path]]],
) -> None:
    arguments, images = write(tmp_path / "raw")
    recipe, data = tmp_path / "recipe.toml", tmp_path / "out" / "recipe_data.toml"
    done = command("data", "prepare", *arguments[:2], str(tmp_path / "out"), *arguments[2:])
    assert done.code == 0, done.err
    content = {
        "model": MODEL,
        "training": {**TRAINING, "epochs": 1, "loggers": []},
        "run": {"folder": str(tmp_path / "run")},
        "data": {
            "crop": 32,
            "recipe": RECIPE,
            "augment": {"channel_dropout": 0.3},
            "sources": [
                {"name": "x", "kind": "volumes", "images": "x", "labels": "x", "dataset": "x"}
            ],
        },
    }
    recipe.write_text(to_toml(content))
    done = command("train", str(recipe), "--data", str(data))
    assert done.code == 0, done.err
    weights = ("--model", str(tmp_path / "run" / "weights.safetensors"))
    done = command("evaluate", str(recipe), "--data", str(data), *weights, "--split", "val")
    assert done.code == 0, done.err
    assert "paper" in done.out
    for given in (images, {"T2": images["T2"]}):
        channels = [
            text for name, path in given.items() for text in ("--channel", f"{name}={path}")
        ]
        out = tmp_path / f"results{len(given)}"
        done = command("segment", *channels, "-o", str(out), *weights, "-q")
        assert done.code == 0, done.err
        assert ("channel T1 is missing" in done.err) == (len(given) == 1)
