"""Run a benchmark: train and score its networks, then compare them. Completed steps are not repeated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from rma_mamba.datasets.audit import require_sound_data
from rma_mamba.datasets.source_files import SourceFiles
from rma_mamba.errors import ConfigError
from rma_mamba.experiments.benchmark_results import ScoredRun, write_comparison
from rma_mamba.experiments.config import Benchmark
from rma_mamba.experiments.held_out_split import held_out_splits, write_held_out_data
from rma_mamba.experiments.network_run import NetworkRun, Note, RunOptions
from rma_mamba.experiments.start_checks import (
    check_outputs,
    check_runs,
    check_settings,
    choose_group,
)
from rma_mamba.training import load_recipe, merge_recipe


def run_benchmark(
    benchmark: Benchmark,
    overrides: Sequence[str] = (),
    *,
    folder: Path | None = None,
    data: Path | None = None,
    weights: Path | None = None,
    only: Sequence[str] = (),
    quiet: bool = False,
    note: Note = lambda message: None,
    warn: Callable[[Sequence[str]], None] | None = None,
    lenient: bool = False,
    on_failure: Callable[[str], None] | None = None,
) -> str:
    """Train, score and compare the networks of a benchmark.

    The output folder contains a folder per network: its run folder (see `train`) with `scores.json` or, with several
    runs of each network, `seed-N` with that for each of them. Beside it are `table.md`, `table.tex`, `table.csv`,
    `boxes.png`, `curves.png`, `panel.png` and, in `scores/`, the tables of `evaluation.write_scores`. Completed steps
    are not repeated, whether a network had one run or several. What can be known to fail at the end is an error before
    the first network is trained.

    Args:
        benchmark: The networks to compare.
        overrides: Settings for all recipes, such as "data.root=FOLDER".
        folder: Output folder; None: that of the benchmark.
        data: A TOML file whose data replace those of the recipes; see `training.train`. If it has folds and no test
            patients, one fold is held out for testing, in `data.toml` in the output folder.
        weights: Folder of the initial weights files; None: networks start as their recipes specify, which is
            randomly by default.
        only: Names of the networks to train and score; empty: all. The tables show all completed runs.
        quiet: Hide progress bars.
        note: Receives progress messages.
        warn: Receives the errors of the test split that `lenient` accepts, one sentence each; None: `note` does.
        lenient: Train and score in spite of errors in the data, which `data_checks.json` in the folder of each run, and
            for the test split in the folder of the benchmark, lists.
        on_failure: Receives a sentence about each network that cannot be trained, because its loss is no longer finite
            or memory ran out; the others go on. None: `warn` receives it.

    Returns:
        The tables in Markdown. Networks that were not trained are in no comparison, and last.

    Raises:
        ConfigError: A recipe or setting is invalid, a name in `only` is unknown, a run folder contains a
            training run with another recipe, a split has no patients, or a network cannot be run; or none of the
            networks was trained.
        DataError: The quick check of the data found errors, and `lenient` is false; or a patient is in two splits.
        ScanError, GridError, WeightsError, BackendError: As in `train` and `score_patients`.
    """
    options = RunOptions(
        folder or Path(benchmark.folder), overrides, data, quiet, note, lenient=lenient
    )
    selected = _selected(benchmark, only)
    benchmark = _with_initial_weights(benchmark, weights, selected)
    check_outputs(options.folder)
    check_settings(options.overrides)
    options = _with_test_patients(benchmark, options)
    # everything is checked before the first network is trained
    runs = [run for row in benchmark.networks for run in NetworkRun.all_of(benchmark, row, options)]
    files = SourceFiles(runs[0].recipe.data)
    to_train = [run for run in runs if run.row.name in selected]
    check_runs(benchmark, files, runs, to_train)
    group = choose_group(benchmark, runs[0].recipe.data, files, own_data=data is None)
    warn = warn or partial(_warn, note)
    require_sound_data(
        runs[0].recipe.data, ("test",), lenient=lenient, warn=warn, record=options.folder
    )
    for run in to_train:
        if failure := run.train():
            (on_failure or _one_by_one(warn))(failure)
    scored = [
        ScoredRun(run, run.score(benchmark.postprocessing)) for run in runs if run.weights.exists()
    ]
    failed = [run for run in runs if run.failure and not run.weights.exists()]
    return write_comparison(benchmark, group, scored, options, failed)


def _one_by_one(warn: Callable[[Sequence[str]], None]) -> Callable[[str], None]:
    return lambda sentence: warn([sentence])


def _warn(note: Note, sentences: Sequence[str]) -> None:
    for text in sentences:
        note(f"warning: {text}")


def _with_test_patients(benchmark: Benchmark, options: RunOptions) -> RunOptions:
    """The options with data that have test patients, if those passed with --data have folds instead."""
    if options.data is None:
        return options
    recipe = benchmark.networks[0].recipe or benchmark.recipe
    data = load_recipe(recipe, options.overrides, options.data).data
    splits = held_out_splits(SourceFiles(data))
    if not splits:
        return options
    content = merge_recipe(recipe, options.overrides, options.data)
    held_out = tuple(
        f"The data have no test set: patients {', '.join(split.test)} of {name} were held out as one."
        for name, split in splits.items()
    )
    path = write_held_out_data(options.folder, content, splits)
    return replace(options, data=path, remarks=held_out)


def _selected(benchmark: Benchmark, only: Sequence[str]) -> list[str]:
    """Names of the networks to train."""
    names = [row.name for row in benchmark.networks]
    if unknown := [name for name in only if name not in names]:
        raise ConfigError(
            f"the benchmark has no network '{unknown[0]}'; expected one or more of {', '.join(names)}. "
            "Correct --only."
        )
    return [name for name in names if not only or name in only]


def _with_initial_weights(
    benchmark: Benchmark, folder: Path | None, selected: Sequence[str]
) -> Benchmark:
    """The benchmark with full paths of the initial weights, or without them if there is no folder.

    Only the files of the networks that are trained now have to exist.
    """
    rows = []
    for row in benchmark.networks:
        path = str(folder / row.weights) if folder and row.weights else None
        if path and row.name in selected and not Path(path).is_file():
            raise ConfigError(
                f"the weights folder does not contain {row.weights}, the initial weights of {row.name}; expected "
                "the file there. Add it, or omit --weights to initialise all networks randomly."
            )
        rows.append(row.model_copy(update={"weights": path}))
    return benchmark.model_copy(update={"networks": tuple(rows)})
