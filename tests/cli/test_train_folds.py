"""`train` and `evaluate` take the same options of a cross-validation."""

from pathlib import Path
from typing import Any

import pytest

from rma_mamba.cli.fold_option import parse_fold
from rma_mamba.errors import ConfigError


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[Any, ...], dict[str, Any]]]:
    found: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
    for name in ("train", "train_folds"):

        def record(*arguments: Any, _name: str = name, **named: Any) -> Path:
            found.append((_name, arguments, named))
            return Path("weights.safetensors")

        monkeypatch.setattr(f"rma_mamba.training.{name}", record)
    return found


def test_folds_are_trained_in_one_command(command, calls) -> None:
    done = command("train", "default", "--folds", "5", "--jobs", "2", "--set", "run.seed=1")
    assert done.code == 0, done.err
    ((name, arguments, named),) = calls
    assert (name, arguments) == ("train_folds", (Path("default"), 5, ["run.seed=1"]))
    assert (named["only"], named["jobs"], named["resume"]) == (None, 2, False)
    command("train", "default", "--folds", "5", "--fold", "3", "--lenient")
    assert calls[1][2]["only"] == 3
    assert [each["lenient"] for _, _, each in calls] == [False, True]
    command("train", "default", "--folds", "5", "--fold", "3", "--data-checked")
    assert [each["check_data"] for _, _, each in calls] == [True, True, False]


def test_fold_all_trains_on_all_cases(command, calls) -> None:
    command("train", "default", "--fold", "all", "--set", "run.seed=1")
    assert calls[0][:2] == (
        "train",
        (Path("default"), ["run.seed=1", "data.validation=false"], False),
    )
    command("train", "default")
    assert calls[1][1] == (Path("default"), [], False)


@pytest.mark.parametrize(
    ("fold", "folds", "expected"), [(None, 5, None), ("0", 5, 0), ("ALL", None, "all")]
)
def test_a_fold_is_a_number_or_all(fold: str | None, folds: int | None, expected: Any) -> None:
    assert parse_fold(fold, folds) == expected


@pytest.mark.parametrize(
    ("fold", "folds", "message"),
    [("2", None, "--folds beside it"), ("all", 5, "no --folds"), ("x", 5, "fold is 'x'")],
)
def test_contradictions_are_one_line(fold: str, folds: int | None, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        parse_fold(fold, folds)
    assert "\n" not in str(caught.value)


def test_a_model_beside_folds_is_refused(command, tiny) -> None:
    done = command("evaluate", "default", "--folds", "5", "-m", tiny)
    assert done.code == 2
    assert "expected no --model beside it" in done.err
