"""2-D networks with a modality plane: trained, validated and used with the same input."""

from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch

from layouts import save
from rma_mamba.errors import ConfigError
from rma_mamba.inference import Segmenter
from rma_mamba.models.weights import read_checkpoint
from rma_mamba.slicing import SliceRecipe, to_slices
from rma_mamba.training import load_recipe, train
from rma_mamba.training.data_module import SliceDataModule
from rma_mamba.training.stack_checks import check_stacks
from rma_mamba.training.toml_writer import to_toml
from tiny import RECIPE
from two_scans import data_settings, recipe_content, volume, write_two_scans

PLANE = {**RECIPE, "modality_plane": True}


def written(tmp_path: Path, modality: str = "MR", **data: object) -> Path:
    write_two_scans(tmp_path / "data")
    single = data_settings(tmp_path)["sources"][0] | {"images": "T1", "modality": modality}
    del single["channels"]
    content = recipe_content(
        tmp_path / "data", tmp_path / "run", **{"recipe": PLANE, "sources": [single], **data}
    )
    (tmp_path / "recipe.toml").write_text(to_toml(content))
    return tmp_path / "recipe.toml"


@pytest.mark.parametrize("device", ["workers", "device"])
@pytest.mark.parametrize(("modality", "plane"), [("MR", 0.0), ("CT", 1.0)])
def test_slices_have_the_plane_of_segment(
    tmp_path: Path, device: str, modality: str, plane: float
) -> None:
    recipe = load_recipe(written(tmp_path, modality, augment_on=device))
    if modality == "CT":
        for path in (tmp_path / "data" / "T1").iterdir():
            image = nib.load(path)
            save(path, np.asarray(image.dataobj) - np.int16(1000), image.affine)
    data = SliceDataModule(recipe)
    data.setup("fit")
    batch = data.on_after_batch_transfer(next(iter(data.train_dataloader())), 0)
    for images in (batch["image"], next(iter(data.val_dataloader()))["image"]):
        assert images.shape == (4, 4, 32, 32)
        assert torch.equal(images[:, 3], torch.full((4, 32, 32), plane))
        assert not torch.equal(images[:, 2], images[:, 3])
    values = volume(0).values - 1000 * (modality == "CT")
    scan = replace(volume(0), values=values, modality=modality)
    assert (to_slices(scan, SliceRecipe(**PLANE))[:, 3] == plane).all()


def test_a_network_for_single_slices_is_trained_with_the_plane(tmp_path: Path) -> None:
    small = "model.settings={widths = [8, 8, 8, 8, 8]}"
    settings = ["training.epochs=1", "model.name=unext", small]
    weights = train(written(tmp_path), settings, quiet=True)
    assert read_checkpoint(weights).settings["input_channels"] == 4
    Segmenter.load(weights, device="cpu")(volume(1))


@pytest.mark.parametrize("name", ["rma-mamba-z", "unet-3d"])
def test_a_network_for_whole_scans_needs_stacks(tmp_path: Path, name: str) -> None:
    settings = [f"model.name={name}", "model.settings={}"]
    path = written(tmp_path)
    with pytest.raises(ConfigError, match=f"{name} has through-plane context, and data.stack_dep"):
        train(path, settings, quiet=True)
    assert not (tmp_path / "run").exists()
    check_stacks(load_recipe(path, [*settings, "data.stack_depths=[2]"]))
