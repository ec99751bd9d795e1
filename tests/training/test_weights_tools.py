"""The mean of several weights files is one file that loads, with the whole configuration of the network."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from rma_mamba.errors import WeightsError
from rma_mamba.models import create_model, load_weights, model_settings
from rma_mamba.models.weights import encode_checkpoint, read_checkpoint
from rma_mamba.training.toml_writer import to_toml
from rma_mamba.training.weights_tools import average_weights, describe_weights

TINY = {"width": 8, "depths": (1, 1, 1, 1), "decoder_width": 8}
RECIPE = {"size": 192}
SOURCE = {"name": "a", "kind": "volumes", "dataset": "a", "images": "images", "labels": "labels"}


def state(seed: int, **settings: Any) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    return create_model("rma-mamba-n", **{**TINY, **settings}).state_dict()


def write(
    path: Path, tensors: dict[str, Tensor], recipe: dict[str, Any] = RECIPE, **more: Any
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        encode_checkpoint(tensors, model="rma-mamba-n", settings={**TINY, **more}, recipe=recipe)
    )
    return path


def test_each_tensor_is_the_mean_and_the_configuration_is_complete(tmp_path: Path) -> None:
    states = [state(0), state(1)]
    paths = [write(tmp_path / f"{i}.safetensors", each) for i, each in enumerate(states)]
    out = tmp_path / "mean.safetensors"
    average_weights(paths, out, "float32")
    found = read_checkpoint(out)
    assert (found.model, found.recipe) == ("rma-mamba-n", RECIPE)
    assert found.settings == model_settings("rma-mamba-n", **TINY)
    assert len(found.settings) > len(TINY)
    for name, tensor in found.state.items():
        expected = sum(each[name].double() for each in states) / 2
        torch.testing.assert_close(tensor.double(), expected, atol=1e-6, rtol=1e-6)
    name = "out_conv1.weight"
    assert not torch.equal(found.state[name], states[0][name])
    load_weights(create_model(found.model, **found.settings), out)


def test_a_single_checkpoint_is_exported_with_the_configuration_of_its_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = state(1)
    (tmp_path / "run").mkdir()
    recipe = {
        "model": {"name": "rma-mamba-n", "settings": {**TINY, "depths": [1, 1, 1, 1]}},
        "data": {"recipe": RECIPE, "sources": [SOURCE]},
    }
    (tmp_path / "run" / "recipe.toml").write_text(to_toml(recipe))
    checkpoint = tmp_path / "run" / "checkpoints" / "last.ckpt"
    checkpoint.parent.mkdir()
    named = {f"model.{name}": tensor for name, tensor in last.items()}
    torch.save({"epoch": 7, "state_dict": named}, checkpoint)
    out = tmp_path / "last.safetensors"
    average_weights([checkpoint], out, "float32")
    found = read_checkpoint(out)
    assert all(torch.equal(found.state[name], tensor) for name, tensor in last.items())
    assert found.recipe["size"] == 192
    assert describe_weights(checkpoint)["model"] == "rma-mamba-n"
    monkeypatch.chdir(checkpoint.parent)
    assert describe_weights(Path("last.ckpt"))["model"] == "rma-mamba-n"


@pytest.mark.parametrize(
    ("settings", "recipe", "message"),
    [
        ({"half_width": 0}, RECIPE, "different network"),
        ({}, {"size": 256}, "different slice recipe"),
    ],
)
def test_different_networks_or_recipes_are_refused(
    tmp_path: Path,
    settings: dict[str, int],
    recipe: dict[str, int],
    message: str,
) -> None:
    one = write(tmp_path / "one.safetensors", state(0))
    other = write(tmp_path / "other.safetensors", state(1, **settings), recipe, **settings)
    out = tmp_path / "mean.safetensors"
    with pytest.raises(WeightsError, match=f"^other.safetensors has a {message}"):
        average_weights([one, other], out)
    assert not out.exists()


def test_the_description_counts_parameters_and_names_the_recipe(tmp_path: Path) -> None:
    path = write(tmp_path / "one.safetensors", state(0))
    found = describe_weights(path)
    assert found["parameters"] == sum(
        each.numel() for each in create_model("rma-mamba-n", **TINY).parameters()
    )
    assert found["recipe"] == RECIPE
    assert found["sha256"] == read_checkpoint(path).sha256
