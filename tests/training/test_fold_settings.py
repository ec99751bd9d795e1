"""Patients are distributed over folds by patient, always in the same way, and never those of the test split."""

import json
from pathlib import Path
from typing import Any

import pytest

from rma_mamba.datasets.source_files import SourceFiles
from rma_mamba.errors import ConfigError
from rma_mamba.training.fold_settings import CrossValidation
from rma_mamba.training.toml_writer import to_toml


def write(path: Path, content: dict[str, Any]) -> Path:
    path.write_text(to_toml(content))
    return path


def patients(plan: CrossValidation, fold: int, split: str) -> dict[str, set[str]]:
    data = plan.recipe_of(fold).data
    files = SourceFiles(data)
    return {source.name: set(files.images(source, split)) for source in data.sources}


def test_every_patient_is_validated_once_and_test_patients_never(recipe: Path) -> None:
    plan = CrossValidation.of(recipe, 2)
    folds = [patients(plan, fold, "val") for fold in range(2)]
    for source, everyone in (("volumes", {"1", "2"}), ("slices", {"3", "4", "10"})):
        first, second = (each[source] for each in folds)
        assert first | second == everyone
        assert not first & second
        for fold in range(2):
            assert patients(plan, fold, "train")[source] == everyone - folds[fold][source]
            assert patients(plan, fold, "test")[source] == ({"11"} if source == "slices" else set())


def test_folds_depend_on_the_seed_of_the_split_alone(recipe: Path) -> None:
    def folds(*overrides: str) -> Any:
        return CrossValidation.of(
            recipe, 3, ["data.splits.a={test=['1', '2']}", *overrides]
        ).assignment()

    assert folds() == folds("run.seed=7", "training.lr=1e-5")
    assert any(folds() != folds(f"data.splits.b.seed={seed}") for seed in (1, 2, 3, 4))


def test_sources_with_a_split_are_pooled_and_test_sources_are_not(
    tmp_path: Path, content: dict[str, Any]
) -> None:
    content["data"]["sources"][0]["split"] = "val"
    plan = CrossValidation.of(write(tmp_path / "pooled.toml", content), 2)
    assert plan.assignment()["datasets"].keys() == {"a", "b"}
    content["data"]["sources"][0]["split"] = "test"
    plan = CrossValidation.of(write(tmp_path / "test.toml", content), 2)
    assert plan.assignment()["datasets"].keys() == {"b"}
    assert patients(plan, 1, "test")["volumes"] == {"1", "2"}


def test_a_dataset_for_training_only_stays_in_training(
    tmp_path: Path, content: dict[str, Any]
) -> None:
    content["data"]["sources"][0]["split"] = "train"
    plan = CrossValidation.of(write(tmp_path / "more.toml", content), 2)
    assert plan.assignment()["datasets"].keys() == {"b"}
    assert all(patients(plan, fold, "train")["volumes"] == {"1", "2"} for fold in range(2))
    for source in content["data"]["sources"]:
        source["split"] = "train"
    plan = CrossValidation.of(write(tmp_path / "all.toml", content), 2)
    assert plan.assignment()["datasets"].keys() == {"a", "b"}


def test_published_folds_are_used_as_they_are(tmp_path: Path, content: dict[str, Any]) -> None:
    content["data"]["splits"]["b"] = {"published": [["3"], ["4", "10"]], "test": ["11"]}
    path = write(tmp_path / "published.toml", content)
    assert CrossValidation.of(path, 2).assignment()["datasets"]["b"]["folds"] == [
        ["3"],
        ["10", "4"],
    ]
    with pytest.raises(ConfigError, match=r"2 published folds and 3 were requested.*--folds 2"):
        CrossValidation.of(path, 3)


@pytest.mark.parametrize(
    ("folds", "changes", "message"),
    [
        (1, [], "number of folds is 1"),
        (2, ["data.validation=false"], r"data\.validation is false"),
        (4, [], "4 folds but only 2 patients"),
        (
            2,
            ["data.splits.a={test=['*']}", "data.splits.b={test=['*']}"],
            "all patients belong",
        ),
    ],
)
def test_folds_that_cannot_be_made_are_refused_at_the_start(
    recipe: Path, folds: int, changes: list[str], message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        CrossValidation.of(recipe, folds, changes)
    assert "\n" not in str(caught.value)


def test_the_record_names_the_patients_and_refuses_other_folds(
    tmp_path: Path, recipe: Path
) -> None:
    plan = CrossValidation.of(recipe, 2)
    with pytest.raises(ConfigError, match=r"contains no folds\.json"):
        plan.check_record()
    plan.record()
    plan.record()
    found = json.loads((tmp_path / "run" / "folds.json").read_text())
    assert found == plan.assignment()
    assert sorted(each for fold in found["datasets"]["b"]["folds"] for each in fold) == [
        "10",
        "3",
        "4",
    ]
    assert found["datasets"]["b"]["test"] == ["11"]
    only_b = ["data.splits.a={test=['1', '2']}"]
    with pytest.raises(ConfigError, match="2 folds instead of 3"):
        CrossValidation.of(recipe, 3, only_b).record()
    with pytest.raises(ConfigError, match="patients of dataset b"):
        CrossValidation.of(recipe, 2, ["data.splits.b={test=['3']}"]).record()


def test_a_single_run_is_not_overwritten_by_folds(tmp_path: Path, recipe: Path) -> None:
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    with pytest.raises(ConfigError, match="contains a single training run"):
        CrossValidation.of(recipe, 2).record()
