"""The mean of several weights files is one file that loads, with the whole configuration of the network."""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from rma_mamba.models import create_model, load_weights, model_settings
from rma_mamba.models.weights import encode_checkpoint, read_checkpoint

SCRIPT = Path(__file__).parents[2] / "scripts" / "average_weights.py"
TINY = {"width": 8, "depths": (1, 1, 1, 1), "decoder_width": 8}
RECIPE = {"size": 192}


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("average_weights", SCRIPT)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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


def test_each_tensor_is_the_mean_and_the_configuration_is_complete(
    script: ModuleType, tmp_path: Path
) -> None:
    states = [state(0), state(1)]
    paths = [write(tmp_path / f"{i}.safetensors", each) for i, each in enumerate(states)]
    out = tmp_path / "mean.safetensors"
    script.main([*map(str, paths), "-o", str(out), "--dtype", "float32"])
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
    script: ModuleType, tmp_path: Path
) -> None:
    best, last = state(0), state(1)
    write(tmp_path / "run" / script.WEIGHTS_FILE, best)
    checkpoint = tmp_path / "run" / "checkpoints" / "last.ckpt"
    checkpoint.parent.mkdir()
    named = {f"model.{name}": tensor for name, tensor in last.items()}
    torch.save({"epoch": 7, "state_dict": named}, checkpoint)
    out = tmp_path / "last.safetensors"
    script.average_weights([checkpoint], out, torch.float32)
    found = read_checkpoint(out)
    assert all(torch.equal(found.state[name], tensor) for name, tensor in last.items())
    assert found.recipe == RECIPE


@pytest.mark.parametrize(
    ("settings", "recipe", "message"),
    [
        ({"half_width": 0}, RECIPE, "different network"),
        ({}, {"size": 256}, "different slice recipe"),
    ],
)
def test_different_networks_or_recipes_are_refused(
    script: ModuleType,
    tmp_path: Path,
    settings: dict[str, int],
    recipe: dict[str, int],
    message: str,
) -> None:
    one = write(tmp_path / "one.safetensors", state(0))
    other = write(tmp_path / "other.safetensors", state(1, **settings), recipe, **settings)
    out = tmp_path / "mean.safetensors"
    with pytest.raises(SystemExit, match=f"error: other.safetensors has a {message}"):
        script.main([str(one), str(other), "-o", str(out)])
    assert not out.exists()
