"""Weights files of ensembles: folds, seeds or different networks in one file that is used like any other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pydantic
import torch
from torch import Tensor

from rma_mamba.deprecation import suppress_rename_warnings
from rma_mamba.errors import WeightsError
from rma_mamba.files import replace_file
from rma_mamba.models import create_model, load_weights
from rma_mamba.models.registry import ENSEMBLE
from rma_mamba.models.weights import Checkpoint, encode_checkpoint, read_checkpoint
from rma_mamba.slicing import SliceRecipe
from rma_mamba.training.weights_provenance import combined_provenance
from rma_mamba.training.weights_tools import WeightsDtype, read_trained

_MEMBERS = "members"  # as `Ensemble` names them


def write_ensemble(
    inputs: Sequence[Path], output: Path, dtype: WeightsDtype = "float16"
) -> Checkpoint:
    """Write several trained networks as one weights file; their probabilities are averaged in use.

    The file contains the whole configuration of each network. The networks may differ; the networks of an input that is
    an ensemble itself become members like all others.

    Args:
        inputs: Weights files, or checkpoints in the folders of their runs.
        output: Weights file to write.
        dtype: Type of the stored tensors.

    Returns:
        The content of the file.

    Raises:
        WeightsError: An input is missing or corrupt, there is only one network, two inputs contain the same
            weights, or the inputs have different slice recipes.
    """
    contents = [read_trained(path) for path in inputs]
    recipe = _common_recipe(inputs, contents)
    _check_distinct(inputs, contents)
    members = [member for content in contents for member in _members(content)]
    if len(members) < 2:
        raise WeightsError(
            "the ensemble would consist of one network; expected at least two. Name the weights files of several "
            "training runs."
        )
    settings: dict[str, Any] = {
        _MEMBERS: [{"model": each.model, "settings": each.settings} for each in members],
    }
    if len(recipe.labels) > 1 and recipe.labels.exclusive:
        settings["exclusive"] = True
    state = {
        f"{_MEMBERS}.{number}.{name}": tensor
        for number, member in enumerate(members)
        for name, tensor in member.state.items()
    }
    content = encode_checkpoint(
        state,
        model=ENSEMBLE,
        settings=settings,
        recipe=recipe.model_dump(mode="json"),
        dtype=getattr(torch, dtype),
        provenance=combined_provenance(contents, "ensemble_of"),
    )
    replace_file(output, content, "weights file")
    load_weights(create_model(ENSEMBLE, **settings), output)
    return read_checkpoint(output)


def _members(content: Checkpoint) -> list[Checkpoint]:
    """The networks of a weights file: one, or those of an ensemble."""
    if content.model != ENSEMBLE:
        return [content]
    members = []
    for number, each in enumerate(content.settings[_MEMBERS]):
        state = _without_prefix(content.state, f"{_MEMBERS}.{number}.")
        members.append(Checkpoint(each["model"], each["settings"], content.recipe, state, ""))
    return members


def _without_prefix(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in state.items()
        if name.startswith(prefix)
    }


def _common_recipe(inputs: Sequence[Path], contents: Sequence[Checkpoint]) -> SliceRecipe:
    """The slice recipe of all inputs: an ensemble prepares the slices of a scan once."""
    recipes = [_recipe(path, content) for path, content in zip(inputs, contents, strict=True)]
    first = recipes[0].model_dump(mode="json")
    for path, recipe in zip(inputs, recipes, strict=True):
        for name, value in recipe.model_dump(mode="json").items():
            if value != first[name]:
                raise WeightsError(
                    f"{path.name} has a different slice recipe from {inputs[0].name} ({name} is {value} instead of "
                    f"{first[name]}); expected the same for all networks of an ensemble. Combine networks that were "
                    "trained with the same data.recipe settings."
                )
    return recipes[0]


def _recipe(path: Path, content: Checkpoint) -> SliceRecipe:
    try:
        with suppress_rename_warnings():  # in weights trained with an older version
            return SliceRecipe.model_validate(content.recipe)
    except pydantic.ValidationError:
        raise WeightsError(
            f"the slice recipe of {path.name} is not one of this version; expected weights trained with it. Train "
            "again, or use the version that trained them."
        ) from None


def _check_distinct(inputs: Sequence[Path], contents: Sequence[Checkpoint]) -> None:
    """Check that no network is named twice, which would give it twice the weight."""
    known: dict[str, Path] = {}
    for path, content in zip(inputs, contents, strict=True):
        same = known.setdefault(content.sha256 or str(path.resolve()), path)
        if same is not path:
            raise WeightsError(
                f"{path} and {same} contain the same weights; expected different networks in an ensemble. Name each "
                "weights file once."
            )
