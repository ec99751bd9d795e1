"""Training of several classes: exclusive ones and nested regions."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rma_mamba.datasets.cases import read_cases
from rma_mamba.datasets.labelled_images import read_volume
from rma_mamba.datasets.source_files import SourceFiles
from rma_mamba.errors import ConfigError, ScanError
from rma_mamba.label_scheme import LabelScheme
from rma_mamba.models import create_model, load_weights
from rma_mamba.models.weights import read_checkpoint
from rma_mamba.training import load_recipe, train
from rma_mamba.training.config import Recipe
from rma_mamba.training.data_module import SliceDataModule
from rma_mamba.training.lightning_module import SegmentationModule
from rma_mamba.training.toml_writer import to_toml
from tumours import EXCLUSIVE, NESTED, scan_with_tumour, tumour_recipe, write_tumours

STACKS = {
    "model.name": "rma-mamba-z",
    "data.stack_depths": "[2, 3]",
    "data.recipe.modality_plane": "true",
    "data.recipe.through_plane_mm": "8.0",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_tumours(tmp_path / "data")


def write_recipe(tmp_path: Path, content: dict[str, Any]) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(to_toml(content))
    return path


@pytest.mark.parametrize("labels", [NESTED, EXCLUSIVE], ids=["nested", "exclusive"])
def test_two_classes_are_trained_and_stored_with_the_weights(
    tmp_path: Path, folder: Path, labels: dict[str, Any]
) -> None:
    recipe = write_recipe(tmp_path, tumour_recipe(folder, tmp_path / "run", labels))
    checkpoint = read_checkpoint(train(recipe, quiet=True))
    assert checkpoint.settings["classes"] == 2
    assert LabelScheme.model_validate(checkpoint.recipe["labels"]) == LabelScheme.model_validate(
        labels
    )
    history = json.loads((tmp_path / "run" / "history.json").read_text())
    of_classes = np.array([history["val_dice_liver"], history["val_dice_tumour"]])
    assert of_classes.shape == (2, 2)
    assert np.allclose(of_classes.mean(axis=0), history["val_dice"], atol=0.01) or 0 in of_classes


def test_two_classes_are_trained_on_stacks(tmp_path: Path, folder: Path) -> None:
    content = tumour_recipe(folder, tmp_path / "run")
    recipe = write_recipe(tmp_path, content)
    settings = [f"{key}={value}" for key, value in STACKS.items()]
    assert read_checkpoint(train(recipe, settings, quiet=True)).settings["classes"] == 2
    data = SliceDataModule(load_recipe(recipe, settings))
    data.setup("fit")
    batch = next(iter(data.train_dataloader()))
    assert batch["label"].shape[2:] == (2, 32, 32)
    assert bool((batch["label"][:, :, 1] <= batch["label"][:, :, 0]).all())


@pytest.mark.parametrize("labels", [NESTED, EXCLUSIVE], ids=["nested", "exclusive"])
def test_the_labels_of_a_sample_are_those_of_the_file(
    folder: Path, tmp_path: Path, labels: dict[str, Any]
) -> None:
    recipe = Recipe.model_validate(tumour_recipe(folder, tmp_path / "run", labels))
    data = SliceDataModule(recipe)
    data.setup("fit")
    _, label = scan_with_tumour(3)
    (batch,) = [*data.val_dataloader()][:1]
    found = batch["label"].sum((2, 3))
    slices = [(label[:, :, k] > 0).sum() for k in range(4)]
    tumours = [(label[:, :, k] > 1).sum() for k in range(4)]
    if labels is EXCLUSIVE:
        slices = [a - b for a, b in zip(slices, tumours, strict=True)]
    assert found.tolist() == [list(map(float, pair)) for pair in zip(slices, tumours, strict=True)]


def test_the_values_of_each_class_may_be_stated_for_a_source(folder: Path, tmp_path: Path) -> None:
    content = tumour_recipe(folder, tmp_path / "run")
    (source,) = content["data"]["sources"]
    source["classes"] = {"liver": [1], "tumour": []}
    config = Recipe.model_validate(content).data
    _, bits = read_volume(SourceFiles(config), config.sources[0], folder / "images/liver_0.nii")
    assert np.array_equal(bits, scan_with_tumour(0)[1] == 1)
    source["classes"] = {"liver": [1, 2]}
    with pytest.raises(ValueError, match="expected all of labels"):
        Recipe.model_validate(content)


def test_values_of_no_class_are_refused_unless_the_source_names_its_values(
    folder: Path, tmp_path: Path
) -> None:
    import nibabel as nib

    path = folder / "labels" / "liver_1.nii"
    values = scan_with_tumour(1)[1]
    values[0, 0, 0] = 3
    nib.save(nib.Nifti1Image(values, nib.load(path).affine), path)
    content = tumour_recipe(folder, tmp_path / "run")
    with pytest.raises(ScanError, match=r"patient 1: .*value 3; expected 0 .*1 liver, 2 tumour"):
        read_cases(Recipe.model_validate(content).data, "train")
    content["data"]["sources"][0]["classes"] = {"liver": [1, 2], "tumour": [2]}
    assert len(read_cases(Recipe.model_validate(content).data, "train")) == 3


def test_a_class_that_occurs_in_no_label_is_refused(folder: Path, tmp_path: Path) -> None:
    content = tumour_recipe(folder, tmp_path / "run")
    content["data"]["sources"][0]["classes"] = {"liver": [1, 2], "tumour": [7]}
    with pytest.raises(ConfigError, match=r"contains tumour \(value 7\)"):
        read_cases(Recipe.model_validate(content).data, "train")


def test_phantoms_are_refused_for_several_classes(folder: Path, tmp_path: Path) -> None:
    content = tumour_recipe(folder, tmp_path / "run")
    content["data"]["phantoms"] = {"count": 2}
    with pytest.raises(ValueError, match="expected 0, because phantoms"):
        Recipe.model_validate(content)


def test_the_first_class_starts_from_weights_for_one_class(tmp_path: Path) -> None:
    settings = {"width": 8, "depths": (1, 1, 1, 1), "decoder_width": 8}
    one, two = (create_model("rma-mamba-n", classes=n, **settings) for n in (1, 2))
    from safetensors.torch import save_file

    save_file(one.state_dict(), tmp_path / "one.safetensors")
    second = two.out_conv1.weight[1:].clone()
    load_weights(two, tmp_path / "one.safetensors")
    assert torch.equal(two.out_conv1.weight[:1], one.out_conv1.weight)
    assert torch.equal(two.out_conv1.weight[1:], second)


def test_the_pooled_dice_of_exclusive_classes_counts_each_pixel_once() -> None:
    module = SegmentationModule(
        torch.nn.Identity(),
        Recipe.model_validate(tumour_recipe(Path(), Path())).training,
        labels=LabelScheme(names=("liver", "tumour")),
    )
    logits = torch.tensor([[0.5, 1.0], [-1.0, -1.0], [2.0, 1.0]]).T[None, :, :, None]
    found = module._classes(logits)[0, :, :, 0].tolist()
    assert found == [[False, False, True], [True, False, False]]
