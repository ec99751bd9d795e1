"""A test set for datasets that were published without one: a fold is held out, and the others remain."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rma_mamba.datasets.source_files import SourceFiles
from rma_mamba.datasets.splits import SPLITS, SplitConfig, fold
from rma_mamba.files import replace_file
from rma_mamba.training.toml_writer import to_toml

HELD_OUT_DATA = "data.toml"  # in the output folder of a benchmark

_FEWEST_FOLDS = 3  # one for testing, one for validation, one for training


def held_out_splits(files: SourceFiles) -> dict[str, SplitConfig]:
    """Splits with a test set, for each dataset whose folds permit one; empty if the data already have test patients.

    The fold after the validation fold is held out; the patients of the others are dealt again.

    Args:
        files: The data.
    """
    data = files.config
    if any(files.images(source, "test") for source in data.sources):
        return {}
    found = {}
    for dataset in dict.fromkeys(each.dataset for each in data.sources if each.split is None):
        split = data.splits.get(dataset, SplitConfig())
        changed = _without_a_fold(split, _patients(files, dataset))
        if changed is not None:
            found[dataset] = changed
    return found


def write_held_out_data(
    folder: Path, content: Mapping[str, Any], splits: Mapping[str, SplitConfig]
) -> Path:
    """Write the sources of a recipe with these splits, as a file for `--data`.

    Args:
        folder: Output folder of the benchmark.
        content: The merged recipe.
        splits: Splits by dataset.

    Raises:
        ScanError: The file cannot be written.
    """
    data = {key: content["data"][key] for key in ("root", "sources") if key in content["data"]}
    old = content["data"].get("splits", {})
    new = {
        name: split.model_dump(mode="json", exclude_defaults=True) for name, split in splits.items()
    }
    path = folder / HELD_OUT_DATA
    text = to_toml({"data": {**data, "splits": {**old, **new}}})
    replace_file(path, text.encode(), "data table of the benchmark")
    return path


def _without_a_fold(split: SplitConfig, patients: set[str]) -> SplitConfig | None:
    count = split.folds or len(split.published)
    if count < _FEWEST_FOLDS:
        return None
    number = (split.fold + 1) % count
    if split.published:
        rest = [part for place, part in enumerate(split.published) if place != number]
        place = split.fold - (number < split.fold)
        return SplitConfig(test=split.published[number], published=tuple(rest), fold=place)
    test = tuple(sorted(fold(patients, count, number, split.seed)))
    return SplitConfig(test=test, folds=count - 1, seed=split.seed)


def _patients(files: SourceFiles, dataset: str) -> set[str]:
    return {
        patient
        for source in files.config.sources
        if source.dataset == dataset and source.split is None
        for split in SPLITS
        for patient in files.images(source, split)
    }
