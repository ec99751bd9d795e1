"""`rma-mamba weights` describes, exports, averages and combines weights files."""

import json
from pathlib import Path

import torch

from rma_mamba.models.weights import encode_checkpoint, read_checkpoint
from tiny import tiny_weights


def test_weights_are_described_as_json(command, tmp_path: Path) -> None:
    path = tiny_weights(tmp_path / "one.safetensors")
    found = json.loads(command("weights", "info", str(path)).out)
    assert found["sha256"] == read_checkpoint(path).sha256
    assert found["parameters"] > 0
    assert found["settings"]["through_plane"] == [0, 0, 0, 0]


def test_the_mean_of_two_equal_files_is_the_file(command, tmp_path: Path) -> None:
    path, out = tiny_weights(tmp_path / "one.safetensors"), tmp_path / "mean.safetensors"
    finished = command("weights", "average", str(path), str(path), "-o", str(out))
    assert finished.code == 0
    assert finished.err.endswith("mean.safetensors\n")
    state, mean = read_checkpoint(path).state, read_checkpoint(out).state
    for name, tensor in state.items():
        torch.testing.assert_close(mean[name].float(), tensor.float(), atol=1e-3, rtol=1e-3)


def test_a_missing_file_is_one_line(command, tmp_path: Path) -> None:
    out = tmp_path / "out.safetensors"
    finished = command("weights", "export", str(tmp_path / "no.safetensors"), "-o", str(out))
    assert finished.code != 0
    assert finished.err.count("\n") == 1
    assert "no.safetensors does not exist" in finished.err
    assert not out.exists()


def test_an_ensemble_is_described_and_used_like_one_network(command, tmp_path: Path) -> None:
    one, other = tiny_weights(tmp_path / "one.safetensors"), tmp_path / "other.safetensors"
    content = read_checkpoint(one)
    moved = {name: tensor + 0.01 for name, tensor in content.state.items()}
    other.write_bytes(
        encode_checkpoint(
            moved, model=content.model, settings=content.settings, recipe=content.recipe
        )
    )
    out = tmp_path / "both.safetensors"
    finished = command("weights", "ensemble", str(one), str(other), "-o", str(out))
    assert finished.code == 0
    assert finished.err == f"Weights of rma-mamba-n, rma-mamba-n: {out}\n"
    found = json.loads(command("weights", "info", str(out)).out)
    assert found["model"] == "ensemble"
    assert [each["model"] for each in found["settings"]["members"]] == ["rma-mamba-n"] * 2
    single = json.loads(command("weights", "info", str(one)).out)
    assert found["parameters"] == 2 * single["parameters"]
