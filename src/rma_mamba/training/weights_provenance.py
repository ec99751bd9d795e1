"""Where weights come from, as stored in a weights file: recipe, data, initial weights and code, without any path."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rma_mamba.datasets.data_manifest import manifest_digests
from rma_mamba.models.weights import Checkpoint
from rma_mamba.training.config import Recipe
from rma_mamba.training.run_files import CODE, INITIAL, MANIFEST, RESUMES, read_json

_PATHS = {"run.folder", "data.root", "data.cache"}  # left out: a path may contain a person's name


def run_provenance(folder: Path, recipe: Recipe, epochs: int) -> dict[str, Any]:
    """The provenance of the weights of a training run, from the files in its folder.

    Runs that differ only in their folders, or in interruptions that changed nothing, have the same provenance.

    Args:
        folder: Run folder.
        recipe: Recipe of the run.
        epochs: Number of epochs after which the weights were saved.
    """
    content = recipe.model_dump(mode="json", exclude={"run": {"folder"}, "data": {"root", "cache"}})
    if content["model"]["weights"] is not None:
        content["model"]["weights"] = Path(content["model"]["weights"]).name
    return {
        "recipe": content,
        "epochs": epochs,
        "initial_weights": read_json(folder / INITIAL, None),
        "data": manifest_digests(read_json(folder / MANIFEST, [])),
        "versions": read_json(folder / CODE, {}),
        "changes": _changes(read_json(folder / RESUMES, [])),
    }


def combined_provenance(inputs: Sequence[Checkpoint], how: str) -> dict[str, Any]:
    """The provenance of weights made from several others; of a single input, its own.

    Args:
        inputs: The weights.
        how: "mean_of" or "ensemble_of".
    """
    if len(inputs) == 1:
        return inputs[0].provenance
    return {how: [{"sha256": each.sha256, "provenance": each.provenance} for each in inputs]}


def _changes(resumes: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What changed while a run was interrupted, in order, without repetitions."""
    changes: list[dict[str, Any]] = []
    for record in resumes:
        settings = {name: x for name, x in record["settings"].items() if name not in _PATHS}
        change = {"settings": settings, "versions": record["versions"]}
        if (settings or record["versions"]) and change not in changes:
            changes.append(change)
    return changes
