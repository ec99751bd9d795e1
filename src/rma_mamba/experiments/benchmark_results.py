"""The results of a benchmark: tables and figures of all scored networks, written to its folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rma_mamba.environment import load_matplotlib
from rma_mamba.errors import ConfigError
from rma_mamba.evaluation import CaseScore, ScoreSummary, write_scores
from rma_mamba.experiments.comparison_export import to_csv, to_latex
from rma_mamba.experiments.comparison_markdown import to_markdown
from rma_mamba.experiments.comparison_table import ComparisonRow, ComparisonTable, Conditions
from rma_mamba.experiments.config import Benchmark
from rma_mamba.experiments.costs import measure_costs
from rma_mamba.experiments.network_run import NetworkRun, RunOptions
from rma_mamba.experiments.panel import make_panel
from rma_mamba.files import replace_file
from rma_mamba.training import read_history


@dataclass(frozen=True)
class ScoredNetwork:
    """A trained network and its scores.

    Args:
        run: Its training run.
        cases: Scores of all cases of the test split.
    """

    run: NetworkRun
    cases: list[CaseScore]


def write_comparison(
    benchmark: Benchmark, group: str, networks: Sequence[ScoredNetwork], options: RunOptions
) -> str:
    """Write all tables and figures of a benchmark.

    Args:
        benchmark: The benchmark.
        group: Group of sources that tables and figures show.
        networks: The trained networks.
        options: Options of the benchmark.

    Returns:
        The tables in Markdown.

    Raises:
        ConfigError: There are no scores.
        ScanError: A file cannot be written.
    """
    cases = [case for network in networks for case in network.cases]
    if not cases:
        raise ConfigError(
            "no network of the benchmark has scores; expected at least one. Check --only, and that the test "
            "split contains patients."
        )
    scores = ScoreSummary.of(cases)
    options.note("measuring parameters, operations and latency")
    table = _table(benchmark, group, networks, scores, options)
    write_scores(options.folder / "scores", cases, scores)
    markdown = to_markdown(table)
    texts = {"table.md": markdown, "table.tex": to_latex(table), "table.csv": to_csv(table)}
    for name, text in texts.items():
        replace_file(options.folder / name, text.encode(), "table")
    _write_figures(benchmark, group, networks, options.folder)
    return markdown


def _table(
    benchmark: Benchmark,
    group: str,
    networks: Sequence[ScoredNetwork],
    scores: ScoreSummary,
    options: RunOptions,
) -> ComparisonTable:
    runs = [network.run for network in networks]
    costs = measure_costs(
        {run.row.name: run.random_model() for run in runs},
        benchmark.image_size,
        channels={run.row.name: run.recipe.data.recipe.channels for run in runs},
    )
    rows = [
        ComparisonRow(
            name=run.row.name,
            publication=run.row.publication,
            own_settings=run.row.set,
            pretrained=run.recipe.model.weights is not None,
            costs=costs[run.row.name],
            conditions=_conditions(run),
        )
        for run in runs
    ]
    notes = tuple(_notes(runs, options))
    return ComparisonTable(benchmark.title, group, benchmark.image_size, tuple(rows), scores, notes)


def _conditions(run: NetworkRun) -> Conditions:
    trained = len(read_history(run.folder).get("val_dice", ()))
    recipe = run.recipe
    return Conditions(recipe.run.seed, recipe.training.epochs, trained or None)


def _notes(runs: Sequence[NetworkRun], options: RunOptions) -> Iterator[str]:
    """What applies to all networks: their data, and the settings of the command line."""
    if options.data is not None:
        sources = ", ".join(dict.fromkeys(each.name for each in runs[0].recipe.data.sources))
        yield f"Data: {sources}, as described in {options.data.name}."
    yield from options.remarks
    recipes = {run.row.name: run.recipe.data.recipe for run in runs}
    thresholds = {name: f"{recipe.threshold:g}" for name, recipe in recipes.items()}
    if len(set(thresholds.values())) == 1:
        yield f"Threshold of the probability: {next(iter(thresholds.values()))}."
    else:
        listed = ", ".join(f"{name} {value}" for name, value in thresholds.items())
        yield f"Thresholds of the probability: {listed}."
    # folders identify neither the data nor the method
    changed = [
        each for each in options.overrides if not each.startswith(("data.root", "data.cache"))
    ]
    if changed:
        yield f"Settings for all networks: {', '.join(changed)}."


def _write_figures(
    benchmark: Benchmark, group: str, networks: Sequence[ScoredNetwork], folder: Path
) -> None:
    load_matplotlib(folder)
    # imported here, because matplotlib is needed for figures only
    from rma_mamba.experiments.figures import draw_boxes, draw_histories, draw_panel

    runs = [network.run for network in networks]
    cases = [case for network in networks for case in network.cases]
    histories = {run.row.name: read_history(run.folder) for run in runs}
    replace_file(folder / "curves.png", draw_histories(histories), "figure")
    replace_file(folder / "boxes.png", draw_boxes(cases, group), "figure")
    weights = {run.row.name: run.weights for run in runs}
    panel = make_panel(
        weights,
        runs[0].recipe.data,
        cases,
        group,
        benchmark.panel_patients,
        benchmark.postprocessing,
    )
    if panel:
        replace_file(folder / "panel.png", draw_panel(panel), "figure")
