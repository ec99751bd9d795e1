"""The trials of a sweep as Markdown, CSV and JSON, and the recipe of the best as TOML."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from statistics import stdev
from typing import Any

from rma_mamba.experiments.sweep.sweep_journal import Trial
from rma_mamba.experiments.sweep.sweep_plan import SweepPlan
from rma_mamba.files import write_together
from rma_mamba.training.toml_writer import to_toml

TABLE, TABLE_CSV, TABLE_JSON, BEST = "trials.md", "trials.csv", "trials.json", "best.toml"
_NONE = "–"
_FOLDERS = ("run.folder", "data.root", "data.cache")  # no part of the method


def write_tables(plan: SweepPlan, trials: Sequence[Trial]) -> None:
    """Write the tables, and the recipe of the best trial if one is complete.

    Raises:
        ScanError: A file cannot be written.
    """
    texts = {
        TABLE: sweep_markdown(plan, trials),
        TABLE_CSV: _csv(plan, trials),
        TABLE_JSON: json.dumps(_content(plan, trials), indent=1) + "\n",
    }
    best = best_trial(trials)
    if best is not None:
        texts[BEST] = to_toml(plan.best_recipe(best.values))
    with write_together("tables") as place:
        for name, text in texts.items():
            place(plan.folder / name).write_text(text, encoding="utf-8")


def best_trial(trials: Sequence[Trial]) -> Trial | None:
    """The complete trial with the highest mean validation Dice, the first of equal ones; None if none is complete."""
    complete = [each for each in ranked(trials) if each.state == "complete"]
    return complete[0] if complete else None


def ranked(trials: Sequence[Trial]) -> list[Trial]:
    """Complete trials by their mean Dice, then pruned ones, then those that failed or have not ended."""
    order = ("complete", "pruned", "failed", "running")
    return sorted(trials, key=lambda each: (order.index(each.state), -(each.mean or 0.0)))


def sweep_markdown(plan: SweepPlan, trials: Sequence[Trial]) -> str:
    """The table of all trials, the best first, and what applies to all of them."""
    several = len(plan.seeds) > 1
    heads = ["trial", *plan.space, "validation Dice"]
    heads += ["SD", *(f"seed {seed}" for seed in plan.seeds)] if several else []
    heads += ["epochs", "state"]
    rows = [_cells(plan, each, best_trial(trials)) for each in ranked(trials)]
    lines = [heads, ["---"] * len(heads), *rows]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return "\n\n".join([table, *_notes(plan, trials)]) + "\n"


def _cells(plan: SweepPlan, trial: Trial, best: Trial | None) -> list[str]:
    mean = _NONE if trial.mean is None else f"{trial.mean:.4f}"
    cells = [str(trial.number), *(trial.values[name] for name in plan.space)]
    cells.append(f"**{mean}**" if trial is best else mean)
    if len(plan.seeds) > 1:
        cells.append(f"{stdev(trial.dice):.4f}" if len(trial.dice) > 1 else _NONE)
        missing = [_NONE] * (len(plan.seeds) - len(trial.dice))
        cells += [*(f"{each:.4f}" for each in trial.dice), *missing]
    epochs = str(len(trial.history)) if trial.history else _NONE
    return [each.replace("|", "\\|") for each in (*cells, epochs, trial.state)]


def _notes(plan: SweepPlan, trials: Sequence[Trial]) -> list[str]:
    seeds = ", ".join(map(str, plan.seeds))
    notes = [
        f"Validation Dice: the highest of all epochs{', mean over seeds' * (len(plan.seeds) > 1)}. The validation "
        "patients chose the trial: score the best one on test patients.",
        f"Seeds: {seeds}. Sampler: {plan.sampler}. Pruning: {'median' if plan.prune else 'none'}.",
    ]
    combinations = plan.combinations
    if combinations is not None and len(trials) < len(combinations):
        notes.append(f"Combinations of the grid: {len(trials)} of {len(combinations)}.")
    changed = [each for each in plan.overrides if not each.startswith(_FOLDERS)]
    if changed:
        notes.append(f"Settings of all trials: {', '.join(changed)}.")
    notes += [f"Trial {each.number}: {each.remark.rstrip('.')}." for each in trials if each.remark]
    best = best_trial(trials)
    if best is not None:
        notes.append(f"Best: trial {best.number}; its recipe is {BEST}.")
    return notes


def _csv(plan: SweepPlan, trials: Sequence[Trial]) -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    seeds = [f"dice_seed_{seed}" for seed in plan.seeds]
    writer.writerow(["trial", "state", *plan.space, "dice_mean", *seeds, "epochs", "remark"])
    for each in trials:
        missing = [""] * (len(plan.seeds) - len(each.dice))
        mean = "" if each.mean is None else each.mean
        values = [each.values[name] for name in plan.space]
        row = [each.number, each.state, *values, mean, *each.dice, *missing]
        writer.writerow([*row, len(each.history), each.remark])
    return file.getvalue()


def _content(plan: SweepPlan, trials: Sequence[Trial]) -> dict[str, Any]:
    best = best_trial(trials)
    return {
        "seeds": list(plan.seeds),
        "sampler": plan.sampler,
        "prune": plan.prune,
        "best": None if best is None else best.number,
        "trials": [
            {
                "trial": each.number,
                "state": each.state,
                "values": each.values,
                "dice_mean": each.mean,
                "dice": dict(zip(map(str, plan.seeds), each.dice, strict=False)),
                "epochs": len(each.history),
                "remark": each.remark,
            }
            for each in trials
        ],
    }
