"""Checks of a benchmark before its first training run, for everything that would otherwise fail after the last one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from torch import nn

from rma_mamba.datasets.config import DataConfig, SourceConfig
from rma_mamba.datasets.labelled_images import Grey, read_slice, read_volume
from rma_mamba.datasets.source_files import SourceFiles
from rma_mamba.datasets.splits import SPLITS, Split
from rma_mamba.errors import ConfigError, RmaMambaError
from rma_mamba.experiments.config import Benchmark
from rma_mamba.experiments.network_run import NetworkRun
from rma_mamba.files import check_writable
from rma_mamba.models import create_model, load_weights
from rma_mamba.models.weights import EMBEDDED
from rma_mamba.training import require_training_packages
from rma_mamba.training.stack_checks import check_stacks

FIGURES = ("boxes.png", "curves.png", "panel.png")
TABLES = ("table.md", "table.tex", "table.csv")


def check_outputs(folder: Path) -> None:
    """Check that tables and figures can be written.

    Raises:
        ConfigError: A file cannot be written.
    """
    for name in (*TABLES, *FIGURES):
        check_writable(folder / name)


def check_settings(overrides: Sequence[str]) -> None:
    """Check that no setting of the command line would send all networks to one folder.

    Raises:
        ConfigError: One would.
    """
    if any(each.partition("=")[0].strip() == "run.folder" for each in overrides):
        raise ConfigError(
            "run.folder is set for all networks of the benchmark, and each has a folder of its own; expected it not to "
            "be set. Choose the folder of the benchmark with --output."
        )


def check_runs(
    benchmark: Benchmark,
    files: SourceFiles,
    runs: Sequence[NetworkRun],
    selected: Sequence[NetworkRun],
) -> None:
    """Check data and networks before training; data are read only if a network remains to be trained.

    Args:
        benchmark: The benchmark.
        files: The data of all networks.
        runs: The runs of all networks.
        selected: Those to train.

    Raises:
        BackendError: A package of the extra `train` is not installed.
        ConfigError: Networks have different data, a split is empty or a label is missing, a folder contains another
            training run, or a network cannot be run on an image of the benchmark.
        ScanError, GridError: A test image or its label cannot be used.
        WeightsError: Initial weights do not fit their network.
    """
    _check_same_data(runs)
    untrained = [run for run in runs if run.check() and run in selected]
    if untrained:
        require_training_packages()
    _check_splits(files)
    if untrained:
        _check_test_scans(files)
        for run in {run.row.name: run for run in untrained}.values():
            _check_network(run, benchmark.image_size)


def choose_group(
    benchmark: Benchmark, data: DataConfig, files: SourceFiles, *, own_data: bool
) -> str:
    """The group of test data that the tables show.

    Args:
        benchmark: Its `group` names the candidates, in order of preference.
        data: The data of all networks.
        files: Their files.
        own_data: Whether the data are those of the recipe, and not passed with --data.

    Raises:
        ConfigError: The benchmark names a group that its own data do not contain.
    """
    groups = {each.group_name: each for each in _test_sources(data, files)}
    wanted = (benchmark.group,) if isinstance(benchmark.group, str) else benchmark.group or ()
    for name in wanted:
        if name in groups:
            return name
    if wanted and own_data:
        raise ConfigError(
            f"the group of the benchmark is {' or '.join(wanted)}, but the groups with test patients are "
            f"{', '.join(groups)}; expected one of these. Correct `group`."
        )
    volumes = [name for name, source in groups.items() if source.kind == "volumes"]
    return [*volumes, *groups][0]


def _test_sources(data: DataConfig, files: SourceFiles) -> list[SourceConfig]:
    return [source for source in data.sources if files.images(source, "test")]


def _check_same_data(runs: Sequence[NetworkRun]) -> None:
    """Paired tests and tables assume that all networks are trained and tested on the same patients."""
    first = _dataset(runs[0].recipe.data)
    for run in runs[1:]:
        other = _dataset(run.recipe.data)
        differing = [name for name in first if first[name] != other[name]]
        if differing:
            raise ConfigError(
                f"{run.row.name} and {runs[0].row.name} have different data ({', '.join(differing)}); expected the "
                "same root, sources and splits for all networks of a benchmark. Correct their recipes and settings."
            )


def _dataset(data: DataConfig) -> Mapping[str, object]:
    return {f"data.{name}": getattr(data, name) for name in ("root", "sources", "splits")}


def _check_splits(files: SourceFiles) -> None:
    files.check_leakage()
    found: dict[Split, set[tuple[str, str]]] = {split: set() for split in SPLITS}
    for source in files.config.sources:
        for split in SPLITS:
            for patient, paths in files.images(source, split).items():
                found[split].add((source.dataset, patient))
                for path in paths:
                    files.label(source, path)
    counts = {split: len(patients) for split, patients in found.items()}
    counts["train"] += files.config.phantoms.count
    if not all(counts.values()):
        listed = ", ".join(f"{count} for {split}" for split, count in counts.items())
        raise ConfigError(
            f"the patients of the benchmark are {listed}; expected at least one for each. Name them under "
            "data.splits.DATASET.val and data.splits.DATASET.test, or prepare data with at least three patients."
        )


def _check_test_scans(files: SourceFiles) -> None:
    """Read each test image with its label once, as scoring does after all training."""
    for source in _test_sources(files.config, files):
        # a list: every image is read, even after the first liver
        livers = [bool(labels.any()) for labels in _test_labels(files, source)]
        if not any(livers):
            raise ConfigError(
                f"source {source.name}: no label of the test split contains liver (value "
                f"{', '.join(map(str, source.liver))}); expected liver in at least one. Check 'labels' and 'liver'."
            )


def _test_labels(files: SourceFiles, source: SourceConfig) -> Iterator[Grey]:
    read = read_volume if source.kind == "volumes" else read_slice
    for patient, paths in files.images(source, "test").items():
        try:
            for path in paths:
                yield read(files, source, path)[1]
        except RmaMambaError as error:
            what = str(error).removeprefix(f"source {source.name}: ")
            raise type(error)(f"source {source.name}, patient {patient}: {what}") from error


def _check_network(run: NetworkRun, image_size: int) -> None:
    """Load the initial weights of a network, and run it on one image, as the measurement of its costs does."""
    check_stacks(run.recipe)
    model = create_model(run.recipe.model.name, **run.recipe.network_settings)
    weights = run.recipe.model.weights
    if weights is not None and weights != EMBEDDED:
        load_weights(model, weights, fresh=run.recipe.model.fresh)
    for size in dict.fromkeys((image_size, run.recipe.data.crop)):
        _run_on_image(run, model, size)


def _run_on_image(run: NetworkRun, model: nn.Module, size: int) -> None:
    channels = run.recipe.data.recipe.channels
    try:
        with torch.inference_mode():
            model.eval()(torch.zeros(1, channels, size, size))
    except (RuntimeError, ConfigError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ConfigError(
            f"{run.row.name} cannot be run on an image of {channels} channels and {size} x {size} pixels ({reason}); "
            "expected a network for the data.recipe, image_size and data.crop of the benchmark. Change one of them."
        ) from None
