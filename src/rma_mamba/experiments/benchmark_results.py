"""The results of a benchmark: tables and figures of all scored networks, written to its folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rma_mamba.environment import load_matplotlib
from rma_mamba.errors import ConfigError
from rma_mamba.evaluation import CaseScore, ScoreSummary, write_scores
from rma_mamba.evaluation.class_tables import lesions_to_markdown
from rma_mamba.experiments.comparison_export import to_csv, to_latex
from rma_mamba.experiments.comparison_markdown import to_markdown
from rma_mamba.experiments.comparison_table import ComparisonRow, ComparisonTable, Conditions
from rma_mamba.experiments.config import Benchmark
from rma_mamba.experiments.costs import measure_costs
from rma_mamba.experiments.network_run import NetworkRun, RunOptions
from rma_mamba.experiments.panel import make_panel
from rma_mamba.files import replace_file
from rma_mamba.training import read_history

Networks = dict[str, list[NetworkRun]]  # the training runs of each network, by its name


@dataclass(frozen=True)
class ScoredRun:
    """A training run of a network and its scores.

    Args:
        run: The training run.
        cases: Scores of all cases of the test split.
    """

    run: NetworkRun
    cases: list[CaseScore]


def write_comparison(
    benchmark: Benchmark,
    group: str,
    scored: Sequence[ScoredRun],
    options: RunOptions,
    failed: Sequence[NetworkRun] = (),
) -> str:
    """Write all tables and figures of a benchmark.

    Args:
        benchmark: The benchmark.
        group: Group of sources that tables and figures show.
        scored: The training runs of all networks.
        options: Options of the benchmark.
        failed: Training runs that failed.

    Returns:
        The tables in Markdown.

    Raises:
        ConfigError: There are no scores.
        ScanError: A file cannot be written.
    """
    cases = [case for each in scored for case in each.cases]
    if not cases and failed:
        listed = "; ".join(f"{run.name}: {run.failure}" for run in failed)
        raise ConfigError(
            f"no network of the benchmark was trained ({listed}); expected at least one. Check the data and the "
            "settings of the training."
        )
    if not cases:
        raise ConfigError(
            "no network of the benchmark has scores; expected at least one. Check --only, and that the test "
            "split contains patients."
        )
    scores = ScoreSummary.of(cases)
    options.note("measuring parameters, operations and latency")
    networks = _by_network([each.run for each in scored])
    failures = _by_network(failed)
    lesions = lesions_to_markdown([case for case in cases if case.group == group])
    table = replace(_table(benchmark, group, networks, failures, scores, options), lesions=lesions)
    write_scores(options.folder / "scores", cases, scores)
    markdown = to_markdown(table)
    texts = {"table.md": markdown, "table.tex": to_latex(table), "table.csv": to_csv(table)}
    for name, text in texts.items():
        replace_file(options.folder / name, text.encode(), "table")
    _write_figures(benchmark, group, networks, cases, options.folder)
    return markdown


def _by_network(runs: Iterable[NetworkRun]) -> Networks:
    networks: Networks = {}
    for run in runs:
        networks.setdefault(run.row.name, []).append(run)
    return networks


def _table(
    benchmark: Benchmark,
    group: str,
    networks: Networks,
    failures: Networks,
    scores: ScoreSummary,
    options: RunOptions,
) -> ComparisonTable:
    """The table of all networks: first those that were trained, in the order of the benchmark."""
    firsts = {name: runs[0] for name, runs in (failures | networks).items()}
    order = sorted(firsts, key=lambda name: name not in networks)
    costs = measure_costs(
        {name: run.random_model() for name, run in firsts.items()},
        benchmark.image_size,
        channels={name: run.recipe.data.recipe.channels for name, run in firsts.items()},
    )
    rows = [
        ComparisonRow(
            name=name,
            publication=run.row.publication,
            own_settings=run.row.set,
            pretrained=run.recipe.model.weights is not None,
            costs=costs[name],
            conditions=_conditions(networks[name]) if name in networks else None,
            failures=tuple(_failure(each) for each in failures.get(name, ())),
        )
        for name, run in ((name, firsts[name]) for name in order)
    ]
    notes = tuple(_notes(list(firsts.values()), options))
    return ComparisonTable(benchmark.title, group, benchmark.image_size, tuple(rows), scores, notes)


def _failure(run: NetworkRun) -> str:
    return f"{run.failure}" if run.seed is None else f"seed {run.seed}: {run.failure}"


def _conditions(runs: Sequence[NetworkRun]) -> Conditions:
    trained = [len(read_history(run.folder).get("val_dice", ())) or None for run in runs]
    seeds = tuple(run.recipe.run.seed for run in runs)
    return Conditions(seeds, runs[0].recipe.training.epochs, tuple(trained))


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
    benchmark: Benchmark,
    group: str,
    networks: Networks,
    cases: Sequence[CaseScore],
    folder: Path,
) -> None:
    load_matplotlib(folder)
    # imported here, because matplotlib is needed for figures only
    from rma_mamba.experiments.figures import draw_boxes, draw_histories, draw_panel

    histories = {
        name: [read_history(run.folder) for run in runs] for name, runs in networks.items()
    }
    replace_file(folder / "curves.png", draw_histories(histories), "figure")
    replace_file(folder / "boxes.png", draw_boxes(cases, group), "figure")
    firsts = {name: runs[0] for name, runs in networks.items()}  # the panel shows one run of each
    panel = make_panel(
        {name: run.weights for name, run in firsts.items()},
        next(iter(firsts.values())).recipe.data,
        cases,
        group,
        benchmark.panel_patients,
        benchmark.postprocessing,
    )
    if panel:
        replace_file(folder / "panel.png", draw_panel(panel), "figure")
