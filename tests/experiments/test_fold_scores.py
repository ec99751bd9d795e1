"""In a cross-validation each patient is scored by the one network that was not trained on that patient."""

import json
from pathlib import Path

import numpy as np
import pytest

from rma_mamba.errors import ConfigError, DataError, WeightsError
from rma_mamba.evaluation import PatientScore
from rma_mamba.experiments import (
    FoldScore,
    folds_to_markdown,
    require_sound_folds,
    score_folds,
    trained_folds,
)
from rma_mamba.experiments import fold_scores as module
from rma_mamba.training import CrossValidation
from tiny import tiny_weights


class NoSegmenter:
    """In place of a segmenter, which takes longer to load."""

    @classmethod
    def load(cls, path: Path, *, postprocessing: str) -> str:
        return path.parent.name


def patient(name: str, dice: float, scored: int = 1, source: str = "a") -> PatientScore:
    return PatientScore(source, name, dice, scored, 1.0, 1.0, 0.0, "group")


@pytest.fixture
def plan(tmp_path: Path, benchmark_file: Path) -> CrossValidation:
    found = CrossValidation.of(tmp_path / "recipe.toml", 2, [f"run.folder='{tmp_path / 'cv'}'"])
    found.record()
    for fold in range(2):
        found.run_folder(fold).mkdir()
        tiny_weights(found.run_folder(fold) / "weights.safetensors")
    return found


def test_each_patient_is_scored_once_by_the_network_of_the_fold_that_held_it_out(
    plan: CrossValidation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def score(segmenter, data, split, *, method):
        for dataset, config in data.splits.items():
            for name in json.loads((plan.folder / "folds.json").read_text())["datasets"][dataset][
                "folds"
            ][config.fold]:
                yield patient(name, 0.5, source="volumes" if dataset == "a" else "slices")

    monkeypatch.setattr(module, "Segmenter", NoSegmenter)
    monkeypatch.setattr(module, "score_patients", score)
    found = list(score_folds(plan))
    names = sorted((each.patient.source, each.patient.patient) for each in found)
    assert names == [
        ("slices", "10"),
        ("slices", "3"),
        ("slices", "4"),
        ("volumes", "1"),
        ("volumes", "2"),
    ]
    record = plan.assignment()["datasets"]
    for each in found:
        dataset = "a" if each.patient.source == "volumes" else "b"
        assert each.patient.patient in record[dataset]["folds"][each.fold]


def test_a_fold_without_weights_is_named(plan: CrossValidation) -> None:
    (plan.run_folder(1) / "weights.safetensors").unlink()
    for start in (score_folds, trained_folds):
        with pytest.raises(WeightsError, match=r"no weights of fold-1.*--resume"):
            list(start(plan))


def test_other_folds_than_those_trained_are_refused(tmp_path: Path, plan: CrossValidation) -> None:
    changed = [f"run.folder='{tmp_path / 'cv'}'", "data.splits.b={test=['3']}"]
    with pytest.raises(ConfigError, match="other folds"):
        list(score_folds(CrossValidation.of(tmp_path / "recipe.toml", 2, changed)))


def test_data_with_errors_are_refused_before_a_fold_is_scored(
    tmp_path: Path, plan: CrossValidation
) -> None:
    unknown = [f"run.folder='{tmp_path / 'cv'}'", "data.splits.b={test=['nobody']}"]
    other = CrossValidation.of(tmp_path / "recipe.toml", 2, unknown)
    with pytest.raises(DataError, match="names patient nobody"):
        require_sound_folds(other)
    (text,) = require_sound_folds(other, lenient=True, record=tmp_path / "scores")
    assert "nobody" in text
    (error,) = json.loads((tmp_path / "scores" / "data_checks.json").read_text())["errors"]
    assert error["text"] == text
    assert require_sound_folds(plan) == require_sound_folds(plan, "test") == []


def test_the_table_of_folds_gives_mean_and_deviation() -> None:
    scores = [
        FoldScore(0, patient("1", 0.9)),
        FoldScore(0, patient("1", 0.6, 2)),
        FoldScore(0, patient("2", 0.5)),
        FoldScore(1, patient("3", 0.8)),
        FoldScore(1, patient("4", float("nan"), 0)),
    ]
    lines = folds_to_markdown(scores).splitlines()
    assert lines[2:4] == ["| 0 | 2 | 0.600 |", "| 1 | 1 | 0.800 |"]
    assert lines[4] == f"| mean ± SD over folds | 3 | 0.700 ± {np.std([0.6, 0.8], ddof=1):.3f} |"
    assert folds_to_markdown([FoldScore(None, patient("1", 0.9))]) == ""
