"""Weights say where they come from, and equal weights are equal bytes."""

import json
from pathlib import Path

import pytest

from rma_mamba.files import file_sha256
from rma_mamba.models.weights import read_checkpoint
from rma_mamba.training import train
from rma_mamba.training.source_commit import _of_repository, source_commit
from rma_mamba.training.weights_tools import average_weights, describe_weights
from tiny import tiny_weights

SHORT = ["training.epochs=1", "data.slices_per_epoch=8"]


def test_weights_name_recipe_data_initial_weights_and_code(tmp_path: Path, recipe: Path) -> None:
    initial = tiny_weights(tmp_path / "initial.safetensors")
    run = tmp_path / "run"
    weights = train(recipe, [*SHORT, f"model.weights={initial}"], quiet=True)
    found = describe_weights(weights)["provenance"]
    assert found["recipe"]["training"]["lr"] == 3e-3
    assert found["recipe"]["training"]["patience"] == 50  # a default
    assert found["recipe"]["model"]["weights"] == "initial.safetensors"
    assert found["initial_weights"] == {
        "name": "initial.safetensors",
        "sha256": file_sha256(initial),
    }
    assert found["epochs"] == 1
    assert found["versions"] == json.loads((run / "versions.json").read_text())
    assert found["versions"]["commit"] == source_commit()
    assert {split: len(cases["slices"]) for split, cases in found["data"].items()} == {
        "train": 2,
        "val": 1,
    }
    assert str(tmp_path) not in json.dumps(found)


def test_two_runs_of_one_recipe_give_equal_bytes(tmp_path: Path, recipe: Path) -> None:
    files = [train(recipe, [*SHORT, f"run.folder={tmp_path / x}"], quiet=True) for x in "ab"]
    assert files[0].read_bytes() == files[1].read_bytes()
    exported = tmp_path / "exported.safetensors"
    average_weights([tmp_path / "a/checkpoints/best.ckpt"], exported)
    assert exported.read_bytes() == files[0].read_bytes()
    other = train(recipe, [*SHORT, "run.seed=1"], quiet=True)
    assert other.read_bytes() != files[0].read_bytes()

    mean = tmp_path / "mean.safetensors"
    average_weights([files[0], other], mean)
    inputs = read_checkpoint(mean).provenance["mean_of"]
    assert [each["sha256"] for each in inputs] == [
        read_checkpoint(path).sha256 for path in (files[0], other)
    ]
    assert inputs[1]["provenance"]["recipe"]["run"]["seed"] == 1


def test_a_commit_is_known_only_in_a_repository_of_its_own(tmp_path: Path) -> None:
    assert _of_repository(tmp_path) is None
    (tmp_path / ".git").write_text("not a repository")
    assert _of_repository(tmp_path) is None


@pytest.mark.parametrize("record", [None, "{}", '{"dir_info": {"editable": true}}'])
def test_an_installation_without_a_commit_has_none(
    monkeypatch: pytest.MonkeyPatch, record: str | None
) -> None:
    class Installed:
        def read_text(self, name: str) -> str | None:
            return record

    monkeypatch.setattr("rma_mamba.training.source_commit.distribution", lambda _: Installed())
    monkeypatch.setattr("rma_mamba.training.source_commit._of_repository", lambda _: None)
    assert source_commit() is None
    commit = json.dumps({"vcs_info": {"vcs": "git", "commit_id": "ab12"}})
    monkeypatch.setattr(Installed, "read_text", lambda *_: commit)
    assert source_commit() == "ab12"
