"""Weights files made from training runs: the mean of several, and the export of any checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from rma_mamba.errors import WeightsError
from rma_mamba.files import replace_file
from rma_mamba.models import checkpoint_settings, create_model, load_weights
from rma_mamba.models.weights import Checkpoint, encode_checkpoint, read_checkpoint
from rma_mamba.training.run_files import run_recipe
from rma_mamba.training.weights_provenance import combined_provenance, run_provenance

WeightsDtype = Literal["float16", "float32"]

_CHECKPOINT = ".ckpt"


def average_weights(
    inputs: Sequence[Path], output: Path, dtype: WeightsDtype = "float16"
) -> Checkpoint:
    """Write the mean of the weights of several training runs; of a single input, its weights.

    Args:
        inputs: Weights files, or checkpoints in the folders of their runs, of one network and slice recipe.
        output: Weights file to write, with the whole configuration of the network.
        dtype: Type of the stored tensors.

    Returns:
        The content of the file.

    Raises:
        WeightsError: An input is missing or corrupt, or the inputs have different networks or slice recipes.
    """
    contents = [read_trained(path) for path in inputs]
    first = contents[0]
    for path, each in zip(inputs, contents, strict=True):
        same_network = (each.model, each.settings) == (first.model, first.settings)
        if not same_network or each.recipe != first.recipe:
            differs = "slice recipe" if same_network else "network"
            raise WeightsError(
                f"{path.name} has a different {differs} from {inputs[0].name}; expected the same for all inputs. "
                "Average weights of training runs with the same model and data.recipe settings."
            )
    content = encode_checkpoint(
        _mean([each.state for each in contents]),
        model=first.model,
        settings=first.settings,
        recipe=first.recipe,
        dtype=getattr(torch, dtype),
        provenance=combined_provenance(contents, "mean_of"),
    )
    replace_file(output, content, "weights file")
    load_weights(create_model(first.model, **first.settings), output)
    return read_checkpoint(output)


def read_trained(path: Path) -> Checkpoint:
    """Read a weights file, or a checkpoint of a training run, with the whole configuration of the network.

    Raises:
        WeightsError: The file is missing or corrupt.
        ConfigError: The checkpoint is corrupt, or not in the folder of its run.
    """
    if path.suffix != _CHECKPOINT:
        found = read_checkpoint(path)
        return replace(found, settings=checkpoint_settings(found))
    from rma_mamba.training.checkpoints import epochs_and_state  # imports Lightning

    folder = path.resolve().parents[1]
    recipe, (epochs, state) = run_recipe(folder), epochs_and_state(path)
    found = Checkpoint(
        recipe.model.name,
        recipe.network_settings,
        recipe.data.recipe.model_dump(mode="json"),
        state,
        "",
        run_provenance(folder, recipe, epochs),
    )
    return replace(found, settings=checkpoint_settings(found))


def describe_weights(path: Path) -> dict[str, Any]:
    """Network, parameters, slice recipe, SHA-256 and provenance of a weights file or checkpoint."""
    found = read_trained(path)
    parameters = create_model(found.model, **found.settings).parameters()
    return {
        "model": found.model,
        "parameters": sum(each.numel() for each in parameters),
        "sha256": found.sha256 or None,
        "settings": found.settings,
        "recipe": found.recipe,
        "provenance": found.provenance,
    }


def _mean(states: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Mean of each floating-point tensor, computed in float64; integer buffers are those of the first state."""
    mean = {}
    for name, tensor in states[0].items():
        if tensor.is_floating_point():
            tensor = torch.stack([state[name].double() for state in states]).mean(0).float()
        mean[name] = tensor
    return mean
