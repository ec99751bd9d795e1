"""A sweep trains trials, continues after any interruption, and writes the best recipe."""

import json
import multiprocessing
import os
import re
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from rma_mamba.errors import ConfigError
from rma_mamba.experiments.sweep import SweepPlan, run_sweep
from rma_mamba.models.weights import read_checkpoint
from rma_mamba.training import load_recipe, train
from rma_mamba.training.checkpoints import Checkpoints

PARAMETERS = ("training.lr=1e-3:1e-2:log", "training.batch_size=2,4")


def plan(
    recipe: Path, folder: str = "sweep", parameters: Sequence[str] = PARAMETERS, **options: Any
) -> SweepPlan:
    options.setdefault("overrides", ["training.epochs=1"])
    overrides = [*options.pop("overrides"), f"run.folder={recipe.parent / folder}"]
    return SweepPlan.of(recipe, parameters, overrides, **options)


def tables(folder: Path) -> list[str]:
    """The tables, and the best recipe without its folder."""
    names = ("trials.md", "trials.csv", "trials.json", "best.toml")
    texts = [(folder / name).read_text() for name in names]
    return [text.replace(folder.name, "") for text in texts]


def sweep(recipe: Path, folder: str) -> None:
    """Two trials with two epochs."""
    run_sweep(plan(recipe, folder, overrides=[]), 2, quiet=True)


def test_trials_are_added_and_the_best_recipe_can_be_trained(recipe: Path) -> None:
    notes: list[str] = []
    folder = recipe.parent / "sweep"
    run_sweep(plan(recipe, seeds=(1, 2)), 1, quiet=True)
    before = (folder / "trials.csv").read_text()
    text = run_sweep(plan(recipe, seeds=(1, 2)), 2, quiet=True, note=notes.append)
    assert all(each.startswith("trial 2 of 2") for each in notes)
    assert (folder / "trials.csv").read_text().startswith(before)
    notes.clear()
    assert run_sweep(plan(recipe, seeds=(1, 2)), 1, quiet=True, note=notes.append) == text
    assert notes == []
    content = json.loads((folder / "trials.json").read_text())
    values = {each["trial"]: each["dice_mean"] for each in content["trials"]}
    assert content["best"] == max(values, key=values.__getitem__)
    assert text == (folder / "trials.md").read_text()
    assert re.search(rf"^\| {content['best']} \|.*\*\*", text, flags=re.MULTILINE)
    best = load_recipe(folder / "best.toml")
    chosen = content["trials"][content["best"]]["values"]
    assert float(chosen["training.lr"]) == best.training.lr
    assert best.run.seed == 1
    weights = train(folder / "best.toml", quiet=True)
    of_trial = folder / f"trial-{content['best']:03}" / "seed-1" / "weights.safetensors"
    assert read_checkpoint(weights).sha256 == read_checkpoint(of_trial).sha256


def killed_sweep(recipe: Path, trial: int) -> None:
    """The same, which kills its own process after the first epoch of a trial, while the run is in progress."""
    save = Checkpoints.on_train_epoch_end

    def save_and_die(self: Checkpoints, *arguments: Any) -> None:
        save(self, *arguments)
        if self.folder.parents[1].name == f"trial-{trial:03}":
            os.kill(os.getpid(), signal.SIGKILL)

    Checkpoints.on_train_epoch_end = save_and_die  # type: ignore[method-assign]
    sweep(recipe, "torn")


@pytest.mark.slow
def test_a_sweep_that_is_killed_gives_the_same_tables(recipe: Path) -> None:
    context = multiprocessing.get_context("fork")
    folder = recipe.parent / "torn"
    for trial in (0, 1):
        process = context.Process(target=killed_sweep, args=(recipe, trial))
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        run = folder / f"trial-{trial:03}" / "seed-42"
        assert (run / "checkpoints" / "last.ckpt").exists()
        assert not (run / "weights.safetensors").exists()
    sweep(recipe, "torn")
    sweep(recipe, "whole")
    assert tables(folder) == tables(recipe.parent / "whole")


def test_values_that_cannot_be_trained_are_a_failed_trial(recipe: Path) -> None:
    found = plan(recipe, parameters=["training.lr=1e-3,1e30"], sampler="grid")
    text = run_sweep(found, 9, quiet=True)
    content = json.loads((recipe.parent / "sweep" / "trials.json").read_text())
    states = {each["values"]["training.lr"]: each["state"] for each in content["trials"]}
    assert len(content["trials"]) == 2
    assert states == {"0.001": "complete", "1e+30": "failed"}
    assert "the loss became" in text


def test_equal_values_are_trained_once(recipe: Path) -> None:
    found = plan(recipe, parameters=["training.batch_size=2,4"], sampler="random")
    run_sweep(found, 3, quiet=True)
    content = json.loads((recipe.parent / "sweep" / "trials.json").read_text())["trials"]
    first: dict[str, Any] = {}
    for each in content:
        known = first.setdefault(each["values"]["training.batch_size"], each)
        assert each["dice_mean"] == known["dice_mean"]
    assert len([*(recipe.parent / "sweep").glob("trial-*")]) == len(first) < 3


def test_trials_below_the_median_end_early(recipe: Path) -> None:
    # the last one does not learn
    parameters = ["training.lr=3e-3,4e-3,5e-3,1e-30"]
    settings = ["training.epochs=3", "data.slices_per_epoch=16"]
    found = plan(recipe, parameters=parameters, overrides=settings, sampler="grid", prune=True)
    run_sweep(found, 4, quiet=True)
    content = json.loads((recipe.parent / "sweep" / "trials.json").read_text())["trials"]
    assert [each["state"] for each in content[:3]] == ["complete"] * 3
    assert content[3]["state"] == "pruned"
    assert content[3]["epochs"] < 3


def test_a_sweep_without_a_complete_trial_is_an_error(recipe: Path) -> None:
    found = plan(recipe, parameters=["training.lr=1e30,2e30"], sampler="grid")
    with pytest.raises(ConfigError, match="no trial is complete"):
        run_sweep(found, 2, quiet=True)
    assert (recipe.parent / "sweep" / "trials.md").exists()
    assert not (recipe.parent / "sweep" / "best.toml").exists()


def test_an_interruption_is_passed_on(recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: object, **options: object) -> None:
        raise SystemExit(130)

    monkeypatch.setattr("rma_mamba.experiments.sweep.sweep_run.train", interrupted)
    with pytest.raises(SystemExit):
        run_sweep(plan(recipe), 1, quiet=True)
