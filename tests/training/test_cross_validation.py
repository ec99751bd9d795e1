"""All folds are trained in one command, and their networks become one weights file."""

import json
from pathlib import Path
from typing import Any

import pytest

from rma_mamba.datasets.audit import AuditResult, audit
from rma_mamba.datasets.layouts.index import DatasetIndex
from rma_mamba.errors import ConfigError, DataError, RmaMambaError
from rma_mamba.models.weights import read_checkpoint
from rma_mamba.training import load_recipe, train, train_folds

SHORT = ["training.epochs=1", "data.slices_per_epoch=8"]


def splits(run: Path) -> dict[str, set[str]]:
    cases = json.loads((run / "data_manifest.json").read_text())
    return {
        split: {f"{case['source']} {case['patient']}" for case in cases if case["split"] == split}
        for split in ("train", "val")
    }


def test_folds_in_turn_give_an_ensemble_that_resume_completes(tmp_path: Path, recipe: Path) -> None:
    run = tmp_path / "run"
    first = train_folds(recipe, 2, SHORT, only=0, quiet=True)
    assert first == run / "fold-0" / "weights.safetensors"
    assert not (run / "weights.safetensors").exists()
    with pytest.raises(ConfigError, match="fold-0 already contains a training run"):
        train_folds(recipe, 2, SHORT, quiet=True)

    notes: list[str] = []
    weights = train_folds(recipe, 2, SHORT, resume=True, quiet=True, note=notes.append)
    assert notes == ["fold 0: training", "fold 1: training"]
    assert weights == run / "weights.safetensors"
    found = read_checkpoint(weights)
    assert found.model == "ensemble"
    assert len(found.settings["members"]) == 2
    one, other = (splits(run / f"fold-{fold}") for fold in range(2))
    assert one["train"] == other["val"]
    assert one["val"] == other["train"]
    assert load_recipe(run / "fold-1" / "recipe.toml").data.splits["b"].fold == 1

    with pytest.raises(ConfigError, match="contains a cross-validation"):
        train(recipe, SHORT, resume=True, quiet=True)


def test_folds_side_by_side_equal_folds_in_turn_even_after_one_failed(
    tmp_path: Path, recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With an error in the data, which is recorded in every fold: each process takes seconds to start."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # of the processes, as of this one
    unknown = [*SHORT, "data.splits.b={test=['nobody']}"]
    with pytest.raises(DataError, match="names patient nobody"):
        train_folds(recipe, 2, unknown, quiet=True)
    broken = tmp_path / "2" / "fold-1" / "checkpoints" / "last.ckpt"
    broken.parent.mkdir(parents=True)
    broken.write_bytes(b"no checkpoint")
    changed = [*unknown, f"run.folder='{tmp_path / '2'}'"]
    with pytest.raises(
        RmaMambaError, match=r"1 of 2 .*fold 1: exit code 2, .*last\.ckpt"
    ) as caught:
        train_folds(recipe, 2, changed, resume=True, jobs=2, quiet=True, lenient=True)
    assert "\n" not in str(caught.value)
    assert (tmp_path / "2" / "fold-0" / "weights.safetensors").exists()
    assert "Weights: " in (tmp_path / "2" / "fold-0.log").read_text()
    broken.unlink()
    found = []
    for jobs in (1, 2):
        changed = [*unknown, f"run.folder='{tmp_path / str(jobs)}'"]
        options: dict[str, Any] = {"resume": jobs == 2, "quiet": True, "lenient": True}
        found.append(read_checkpoint(train_folds(recipe, 2, changed, jobs=jobs, **options)))
        for folder in ("", "fold-0", "fold-1"):
            record = json.loads((tmp_path / str(jobs) / folder / "data_checks.json").read_text())
            assert (record["lenient"], len(record["errors"])) == (True, 1)
    assert found[0].settings == found[1].settings
    assert found[0].sha256 == found[1].sha256


def test_a_fold_that_does_not_exist_is_refused(recipe: Path) -> None:
    with pytest.raises(ConfigError, match="there is no fold 2; expected 0 to 1"):
        train_folds(recipe, 2, only=2)


def test_the_data_of_all_folds_are_checked_once(
    tmp_path: Path, recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[int] = []

    def counted(dataset: DatasetIndex, **options: Any) -> AuditResult:
        reads.append(len(dataset.cases))
        return audit(dataset, **options)

    def trained(*_: Any, checked: list[dict[str, Any]], **__: Any) -> None:
        assert checked == []

    monkeypatch.setattr("rma_mamba.datasets.audit.source_audit.audit", counted)
    monkeypatch.setattr("rma_mamba.training.cross_validation.train", trained)
    train_folds(recipe, 2, SHORT, quiet=True)
    assert reads == [5]  # two volumes, and the slices of three patients
