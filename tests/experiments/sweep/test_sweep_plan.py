"""What a sweep varies is checked before anything is trained, and recorded in its folder."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from forks import in_a_fork
from rma_mamba.errors import ConfigError, WeightsError
from rma_mamba.experiments.sweep import SweepPlan
from rma_mamba.training import train, train_folds

PARAMETERS = ("training.lr=1e-4:1e-2:log", "training.batch_size=2:8:2")


def opened(recipe: Path, parameters: Any = PARAMETERS, overrides: Any = (), **options: Any) -> None:
    with SweepPlan.of(recipe, parameters, overrides, **options).open_folder():
        pass


@pytest.mark.parametrize(
    ("parameters", "overrides", "options", "expected"),
    [
        (["training.lrr=1:2"], [], {}, "lrr"),
        (["training.lr=-1:1"], [], {}, "lr"),
        (["training.schedule=plateau,cosin"], [], {}, "cosin"),
        (["model.name=unet,u-net"], ["model.settings={}"], {}, "u-net"),
        (["run.seed=1,2"], [], {}, "--seeds"),
        (["run.folder=a,b"], [], {}, "--output"),
        (["training.lr=1e-4:1e-2"], ["training.lr=1"], {}, "also set with --set"),
        (["training.lr=1e-4:1e-2"], ["data.validation=false"], {}, "data.validation"),
        (["training.lr=1e-4:1e-2"], ["training.devices=2"], {}, "one device"),
        (["training.lr=1e-4:1e-2"], [], {"seeds": [1, 1]}, "seed is named twice"),
        (["training.lr=1e-4:1e-2"], [], {"sampler": "grid"}, "range without steps"),
    ],
)
def test_what_cannot_be_run_is_an_error_at_the_start(
    recipe: Path, parameters: Any, overrides: Any, options: Any, expected: str
) -> None:
    with pytest.raises(ConfigError, match=expected):
        SweepPlan.of(recipe, parameters, overrides, **options)


def test_missing_initial_weights_are_an_error_at_the_start(recipe: Path) -> None:
    with pytest.raises(WeightsError, match=r"no\.safetensors do not exist"):
        SweepPlan.of(recipe, PARAMETERS, ["model.weights=/no/no.safetensors"])


def test_a_value_that_is_valid_beside_some_values_of_the_others_is_accepted(recipe: Path) -> None:
    parameters = ["model.name=unext,rma-mamba-n", "model.settings.decoder_width=8,16"]
    settings = ["model.settings={}"]
    with pytest.raises(ConfigError, match="unext"):
        SweepPlan.of(recipe, parameters, settings)
    # alone, a network without that setting would be rejected as well
    only = ["model.name=rma-mamba-n,rma-mamba-t", "model.settings.decoder_width=8,16"]
    SweepPlan.of(recipe, only, settings)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"parameters": ["training.lr=1e-4:1e-1:log", PARAMETERS[1]]}, "training.lr.high was 0.01"),
        ({"parameters": PARAMETERS[:1]}, "batch_size"),
        ({"seeds": [1, 2]}, "seeds"),
        ({"sampler": "random"}, 'sampler was "tpe" and is now "random"'),
        ({"prune": True}, "prune"),
        ({"overrides": ["training.epochs=3"]}, "recipe.training.epochs was 2 and is now 3"),
    ],
)
def test_another_sweep_in_the_same_folder_is_rejected(
    recipe: Path, change: dict[str, Any], expected: str
) -> None:
    opened(recipe)
    with pytest.raises(ConfigError, match=expected):
        opened(recipe, **change)
    opened(recipe, overrides=["training.workers=1"])  # where it runs


def test_other_content_of_the_folder_is_rejected(recipe: Path) -> None:
    folder = recipe.parent / "sweep"
    (folder / "checkpoints").mkdir(parents=True)
    with pytest.raises(ConfigError, match="contains checkpoints, and no sweep"):
        opened(recipe)
    (folder / "checkpoints").rmdir()
    opened(recipe)
    with pytest.raises(ConfigError, match="contains a sweep"):
        train(recipe, quiet=True)
    with pytest.raises(ConfigError, match="contains a sweep"):
        train_folds(recipe, 2, quiet=True)
    (folder / "sweep.json").write_text("[")
    with pytest.raises(ConfigError, match="cannot be read"):
        opened(recipe)


def test_one_sweep_runs_at_a_time(recipe: Path) -> None:
    def second() -> str:
        try:
            opened(recipe)
        except ConfigError as error:
            return str(error)
        return ""

    with SweepPlan.of(recipe, PARAMETERS).open_folder():
        assert "a sweep is running in the folder" in in_a_fork(second)
    assert in_a_fork(second) == ""


def test_the_record_describes_the_sweep(recipe: Path) -> None:
    opened(recipe, seeds=[3])
    record = json.loads((recipe.parent / "sweep" / "sweep.json").read_text())
    assert record["parameters"]["training.lr"] == {
        "low": 1e-4,
        "high": 1e-2,
        "log": True,
        "step": None,
        "whole": False,
    }
    assert record["seeds"] == [3]


def test_runs_are_named_by_trial_and_seed(recipe: Path) -> None:
    found = SweepPlan.of(recipe, PARAMETERS, seeds=[5, 6])
    folder: Callable[[int, int], Path] = found.run_folder
    assert folder(0, 5) == recipe.parent / "sweep" / "trial-000" / "seed-5"
