"""Checkpoints that are whole whenever the process ends, and what a resumed training takes from them."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.pytorch.callbacks import Checkpoint, EarlyStopping

from rma_mamba.errors import ConfigError
from rma_mamba.files import remove_unfinished, replace_file

WATCHED, BETTER = "val_dice", "max"


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint beside the old one, and then puts it in its place in one step."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        """Write `checkpoint` to `path`.

        Raises:
            ScanError: The folder cannot be written, or the disk is full.
        """
        # In memory first: torch reports a full disk as an error of its own kind, and a file as it should be.
        content = io.BytesIO()
        torch.save(checkpoint, content)
        replace_file(Path(path), content.getvalue(), "checkpoint")


class Checkpoints(Checkpoint):
    """After every epoch `last.ckpt`, and before it `best.ckpt` if the validation Dice is the best so far.

    In this order: what `last.ckpt` knows of the best epoch is always in `best.ckpt`; an epoch that is lost
    with the process is trained again, and comes to the same.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.best = float("-inf")

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Save."""
        dice = float(trainer.callback_metrics[WATCHED])
        if dice > self.best:
            self.best = dice
            trainer.save_checkpoint(self.folder / "best.ckpt")
        trainer.save_checkpoint(self.folder / "last.ckpt")

    def state_dict(self) -> dict[str, Any]:
        """The best Dice so far."""
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take it up again."""
        self.best = state_dict["best"]


class Patience(EarlyStopping):
    """Stops after so many epochs without a better validation Dice; also if they were over when resumed."""

    def __init__(self, epochs: int) -> None:
        super().__init__(WATCHED, patience=epochs, mode=BETTER)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the count; the patience is the recipe's."""
        super().load_state_dict({**state_dict, "patience": self.patience})

    def on_train_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Stop at once if there is nothing left to wait for."""
        trainer.should_stop = trainer.should_stop or self.wait_count >= self.patience


def last_checkpoint(folder: Path, resume: bool) -> Path | None:
    """The checkpoint in a run's folder to go on from, if there is one.

    Raises:
        ConfigError: There is one, and the training shall not be resumed.
    """
    last = folder / "checkpoints" / "last.ckpt"
    if last.exists() and not resume:
        raise ConfigError(
            f"the folder {folder.name} already holds a training; expected an empty one. "
            "Go on with --resume, or choose another with --set run.folder=FOLDER."
        )
    if resume:
        remove_unfinished(folder)
        remove_unfinished(last.parent)
    return last if last.exists() else None


def epochs_done(checkpoint: Path) -> int:
    """How many epochs are behind a checkpoint.

    Raises:
        ConfigError: It is damaged.
    """
    return int(_content(checkpoint)["epoch"]) + 1


def model_state(checkpoint: Path) -> dict[str, torch.Tensor]:
    """Parameters and buffers of the network in a checkpoint; averaged ones, if they were averaged.

    Raises:
        ConfigError: It is missing or damaged.
    """
    state = _content(checkpoint)["state_dict"]
    return {name.removeprefix("model."): tensor for name, tensor in state.items()}


def _content(checkpoint: Path) -> dict[str, Any]:
    try:
        content = torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=True)
        return {"epoch": content["epoch"], "state_dict": content["state_dict"]}
    except (
        pickle.UnpicklingError,
        RuntimeError,
        EOFError,
        OSError,
        ValueError,
        KeyError,
        TypeError,
    ):
        raise ConfigError(
            f"the checkpoint {checkpoint.name} cannot be read; expected the one that the training left. "
            "Put a copy of it in its place, or begin anew in another folder."
        ) from None
