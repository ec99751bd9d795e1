"""Which weights a name or path stands for, and whether they segment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pydantic

from rma_mamba.deprecation import suppress_rename_warnings
from rma_mamba.errors import WeightsError
from rma_mamba.models.registry import PARAMETERS
from rma_mamba.models.stored_weights import EMBEDDED, Checkpoint, embedded_weights
from rma_mamba.slicing import SliceRecipe

_COMBINED = ("mean_of", "ensemble_of")


def trained_weights(model: str | Path, read: Callable[[str | Path], Checkpoint]) -> Checkpoint:
    """The content of "default", the bundled weights, or of a weights file.

    Args:
        model: "default" or a path.
        read: Reads a weights file.

    Raises:
        WeightsError: The weights are missing, corrupt, or of a network that does not segment.
    """
    if str(model) == EMBEDDED:
        with embedded_weights() as path:
            checkpoint = read(path)
    elif str(model) in PARAMETERS:
        raise WeightsError(
            f"'{model}' is a network without bundled weights; expected 'default' or a weights file. "
            "Train it, and pass the path of its weights.safetensors."
        )
    else:
        checkpoint = read(model)
    if checkpoint.provenance.get("recipe", {}).get("pretraining"):
        raise WeightsError(
            f"{Path(model).name} was pretrained on unlabelled scans and does not segment; expected trained weights. "
            f"Train with --set model.weights={Path(model).name}."
        )
    return checkpoint


def recipe_of(checkpoint: Checkpoint) -> SliceRecipe:
    """The slice recipe of weights.

    Raises:
        WeightsError: It is not one of this version.
    """
    try:
        with suppress_rename_warnings():  # in weights trained with an older version
            return SliceRecipe.model_validate(checkpoint.recipe)
    except pydantic.ValidationError:
        raise misfit_error(checkpoint.model) from None


def channel_dropout_of(provenance: Mapping[str, Any]) -> float | None:
    """The probability with which each scan of a case was left out in training; of several networks, the lowest.

    Args:
        provenance: Of weights, as in `Checkpoint`.

    Returns:
        None if it is not known.
    """
    members = [each for how in _COMBINED for each in provenance.get(how, ())]
    if members:
        found = [channel_dropout_of(each.get("provenance", {})) for each in members]
        known = [each for each in found if each is not None]
        return min(known) if len(known) == len(found) else None
    data = provenance.get("recipe", {}).get("data")
    return None if data is None else float(data.get("augment", {}).get("channel_dropout", 0))


def misfit_error(model: str) -> WeightsError:
    """The error for weights that do not fit their network."""
    return WeightsError(
        f"the weights of '{model}' do not fit the network of this version; "
        "expected weights trained with it. Train again, or use the version that trained them."
    )
