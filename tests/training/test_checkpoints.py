"""Checkpoints of earlier versions can be resumed, and a checkpoint is complete or absent."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from rma_mamba.errors import ConfigError
from rma_mamba.training.checkpoints import (
    AtomicCheckpointIO,
    Checkpoints,
    DiceEarlyStopping,
    completed_epochs,
    last_checkpoint,
    model_state,
)
from rma_mamba.training.curves import Curves


def write(folder: Path) -> Path:
    """The last checkpoint of a run folder after three epochs."""
    path = folder / "checkpoints" / "last.ckpt"
    path.parent.mkdir(parents=True)
    content = {"epoch": 2, "state_dict": {"model.weight": torch.ones(2)}}
    AtomicCheckpointIO().save_checkpoint(content, path)
    return path


def test_states_have_the_keys_of_version_0_1(tmp_path: Path) -> None:
    callbacks = (Curves(tmp_path), Checkpoints(tmp_path), DiceEarlyStopping(3))
    assert [each.state_key for each in callbacks] == [
        "Curves",
        "Checkpoints",
        "Patience{'monitor': 'val_dice', 'mode': 'max'}",
    ]


def test_a_checkpoint_is_read_back(tmp_path: Path) -> None:
    path = write(tmp_path)
    assert completed_epochs(path) == 3
    assert torch.equal(model_state(path)["weight"], torch.ones(2))
    assert [each.name for each in path.parent.iterdir()] == ["last.ckpt"]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"no checkpoint"])
def test_a_corrupt_checkpoint_is_a_one_line_error(tmp_path: Path, content: bytes) -> None:
    path = write(tmp_path)
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"last\.ckpt cannot be read") as caught:
        completed_epochs(path)
    assert "\n" not in str(caught.value)


def test_a_run_is_resumed_only_on_request(tmp_path: Path) -> None:
    assert last_checkpoint(tmp_path, resume=False) is None
    path = write(tmp_path)
    assert last_checkpoint(tmp_path, resume=True) == path
    with pytest.raises(ConfigError, match="already contains a training run"):
        last_checkpoint(tmp_path, resume=False)


def test_only_a_better_epoch_replaces_the_best(tmp_path: Path) -> None:
    saved: list[str] = []
    callback = Checkpoints(tmp_path)
    for dice in (0.5, 0.4, 0.6):
        trainer = SimpleNamespace(
            callback_metrics={"val_dice": dice},
            save_checkpoint=lambda path: saved.append(path.name),
        )
        callback.on_train_epoch_end(trainer, None)  # type: ignore[arg-type]
    assert saved == ["best.ckpt", "last.ckpt", "last.ckpt", "best.ckpt", "last.ckpt"]
    restored = Checkpoints(tmp_path)
    restored.load_state_dict(callback.state_dict())
    assert restored.best == 0.6
