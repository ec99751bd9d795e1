"""Train and score the networks of a benchmark, each only as far as it is not done yet."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from rma_mamba.errors import ConfigError
from rma_mamba.evaluation import CaseScore, ScoreSummary, score_patients, write_scores
from rma_mamba.experiments.comparison_table import Row, Table, to_csv, to_latex, to_markdown
from rma_mamba.experiments.config import Benchmark, NetworkRow
from rma_mamba.experiments.costs import Costs, measure_costs
from rma_mamba.experiments.figures import draw_boxes, draw_histories, draw_panel
from rma_mamba.experiments.panel import make_panel
from rma_mamba.experiments.score_cache import fingerprint, keep_scores, kept_scores
from rma_mamba.files import replace_file
from rma_mamba.inference import Segmenter
from rma_mamba.models import create_model
from rma_mamba.training import WEIGHTS_FILE, Recipe, load_recipe, read_history, train

Note = Callable[[str], None]
_SCORES = "scores.json"


@dataclass(frozen=True)
class _Trained:
    """A row whose network is trained and scored."""

    row: NetworkRow
    recipe: Recipe
    folder: Path
    cases: list[CaseScore]

    @property
    def weights(self) -> Path:
        return self.folder / WEIGHTS_FILE

    def model(self) -> nn.Module:
        """The network with random weights: enough to be counted and timed."""
        return create_model(self.recipe.model.name, **self.recipe.model.settings)


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
) -> str:
    """Train, score and compare.

    In its folder it leaves, for each network, the folder of its training (see `train`) with `scores.json`, and
    for all of them `table.md`, `table.tex`, `table.csv`, `boxes.png`, `curves.png`, `panel.png`, and the tables of
    `evaluation.write_scores` under `scores/`. What is done already is not done again.

    Args:
        benchmark: What to compare.
        overrides: Settings of all recipes, as "data.root=FOLDER".
        folder: Instead of the benchmark's own.
        data: A TOML file with the data, instead of the recipes': see `training.merged_recipe`.
        weights: Folder of the files that rows start from; None: all start as their recipe says, at random by default.
        only: Names of the rows to train and score; the tables then hold those that are done.
        quiet: No progress bars.
        note: Is told what happens.

    Returns:
        The tables in Markdown.

    Raises:
        ConfigError: A recipe or setting is wrong, a name of `only` is unknown, or a row's folder holds a
            training by another recipe.
        ScanError, GridError, WeightsError: As of `train` and of segmenting.
    """
    folder = folder or Path(benchmark.folder)
    benchmark = _started_from(benchmark, weights)
    rows = _chosen(benchmark, only)
    recipes = {
        row.name: _recipe(benchmark, row, overrides, folder, data) for row in benchmark.networks
    }  # all are checked before the first is trained
    for row in rows:
        _train(row, recipes[row.name], folder, overrides, benchmark, data, quiet, note)
    trained = []
    for row in benchmark.networks:
        if (folder / row.slug / WEIGHTS_FILE).exists():
            cases = _score(row, recipes[row.name], folder, note)
            trained.append(_Trained(row, recipes[row.name], folder / row.slug, cases))
    return _compare(benchmark, trained, folder, note)


def _chosen(benchmark: Benchmark, only: Sequence[str]) -> list[NetworkRow]:
    names = [row.name for row in benchmark.networks]
    if unknown := [name for name in only if name not in names]:
        raise ConfigError(
            f"the benchmark has no network '{unknown[0]}'; expected some of {', '.join(names)}. "
            "Correct --only."
        )
    return [row for row in benchmark.networks if not only or row.name in only]


def _started_from(benchmark: Benchmark, weights: Path | None) -> Benchmark:
    """The benchmark with whole paths of the files that rows start from, or without them."""
    rows = []
    for row in benchmark.networks:
        start = str(weights / row.weights) if weights and row.weights else None
        if start and not Path(start).is_file():
            raise ConfigError(
                f"the folder of weights has no {row.weights}, from which {row.name} starts; expected it there. "
                "Put it there, or leave out --weights to start all networks at random."
            )
        rows.append(row.model_copy(update={"weights": start}))
    return benchmark.model_copy(update={"networks": tuple(rows)})


def _overrides(row: NetworkRow, shared: Sequence[str], folder: Path) -> list[str]:
    """Settings of a row on top of its recipe; those of the command line come last."""
    own = [f"run.folder={json.dumps(str(folder / row.slug))}"]
    if row.model is not None:
        own += [f'model.name="{row.model}"', "model.settings={}"]
    own += [f"model.settings.{name}={json.dumps(value)}" for name, value in row.settings.items()]
    if row.weights is not None:
        own.append(f"model.weights={json.dumps(row.weights)}")
    return [*own, *row.set, *shared]


def _recipe(
    benchmark: Benchmark, row: NetworkRow, shared: Sequence[str], folder: Path, data: Path | None
) -> Recipe:
    recipe = load_recipe(row.recipe or benchmark.recipe, _overrides(row, shared, folder), data)
    with torch.device("meta"):  # a wrong setting is seen now, and costs nothing
        create_model(recipe.model.name, **recipe.model.settings)
    return recipe


def _essence(recipe: Recipe) -> str:
    """What a training depends on: all of its recipe but the place where it lies."""
    return fingerprint(recipe.model_dump(mode="json", exclude={"run": {"folder"}}))


def _train(
    row: NetworkRow,
    recipe: Recipe,
    folder: Path,
    shared: Sequence[str],
    benchmark: Benchmark,
    data: Path | None,
    quiet: bool,
    note: Note,
) -> None:
    place, mark = folder / row.slug, folder / row.slug / "benchmark.json"
    made_of = _essence(recipe)
    if mark.exists() and json.loads(mark.read_text())["recipe"] != made_of:
        raise ConfigError(
            f"the folder of {row.name} holds a training by another recipe; expected this one's or an empty "
            "folder. Choose another folder with --output, or remove that one."
        )
    if (place / WEIGHTS_FILE).exists():
        note(f"{row.name}: trained already")
        return
    replace_file(mark, json.dumps({"recipe": made_of}).encode(), "benchmark")
    note(f"{row.name}: training")
    overrides = _overrides(row, shared, folder)
    train(row.recipe or benchmark.recipe, overrides, resume=True, data=data, quiet=quiet)


def _score(row: NetworkRow, recipe: Recipe, folder: Path, note: Note) -> list[CaseScore]:
    place = folder / row.slug
    weights = (place / WEIGHTS_FILE).read_bytes()
    made_of = fingerprint(weights, recipe.data.model_dump(mode="json"), row.name)
    found = kept_scores(place / _SCORES, made_of)
    if found is None:
        found = []
        segmenter = Segmenter.load(place / WEIGHTS_FILE)
        for patient in score_patients(segmenter, recipe.data, "test", method=row.name):
            note(
                f"{row.name}: {patient.source}, patient {patient.patient}: Dice {patient.dice:.3f}"
            )
            found += patient.cases
        keep_scores(place / _SCORES, made_of, found)
    return found


def _compare(benchmark: Benchmark, trained: list[_Trained], folder: Path, note: Note) -> str:
    cases = [case for each in trained for case in each.cases]
    if not cases:
        raise ConfigError(
            "no network of the benchmark is scored; expected one at least. Check --only, and that the test "
            "side of the split has patients."
        )
    volumes = [case.group for case in cases if case.volume is not None]
    group = benchmark.group or [*volumes, cases[0].group][0]
    report = ScoreSummary.of(cases)
    note("measuring parameters, operations and latency")
    costs = measure_costs({each.row.name: each.model() for each in trained}, benchmark.side)
    table = _table(benchmark, group, trained, report, costs)
    write_scores(folder / "scores", cases, report)
    for name, text in (
        ("table.md", to_markdown(table)),
        ("table.tex", to_latex(table)),
        ("table.csv", to_csv(table)),
    ):
        replace_file(folder / name, text.encode(), "table")
    _draw(benchmark, group, trained, cases, folder)
    return to_markdown(table)


def _table(
    benchmark: Benchmark,
    group: str,
    trained: list[_Trained],
    report: ScoreSummary,
    costs: dict[str, Costs],
) -> Table:
    rows = [
        Row(
            each.row.name,
            each.row.publication,
            each.row.set,
            each.recipe.model.weights is not None,
            costs[each.row.name],
        )
        for each in trained
    ]
    return Table(benchmark.title, group, benchmark.side, tuple(rows), report)


def _draw(
    benchmark: Benchmark,
    group: str,
    trained: list[_Trained],
    cases: list[CaseScore],
    folder: Path,
) -> None:
    histories = {each.row.name: read_history(each.folder) for each in trained}
    replace_file(folder / "curves.png", draw_histories(histories), "figure")
    replace_file(folder / "boxes.png", draw_boxes(cases, group), "figure")
    weights = {each.row.name: each.weights for each in trained}
    panel = make_panel(weights, trained[0].recipe.data, cases, group, benchmark.panel_patients)
    if panel:
        replace_file(folder / "panel.png", draw_panel(panel), "figure")
