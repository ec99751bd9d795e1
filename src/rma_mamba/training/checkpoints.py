"""Checkpoints of a training run: written atomically after each epoch, and read to resume or export."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.pytorch.callbacks import Checkpoint, EarlyStopping
from torch import nn

from rma_mamba.errors import ConfigError
from rma_mamba.files import remove_unfinished, replace_file
from rma_mamba.training.config import WEIGHTS_FILE

_MONITOR, _MODE = "val_dice", "max"


class AtomicCheckpointIO(TorchCheckpointIO):
    """Write checkpoints atomically: a complete file replaces the previous one in a single step."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        """Write `checkpoint` to `path`.

        Raises:
            ScanError: The folder is not writable, or the disk is full.
        """
        # Serialise in memory first: on a full disk torch raises an error of its own, writing bytes an OSError.
        content = io.BytesIO()
        torch.save(checkpoint, content)
        replace_file(Path(path), content.getvalue(), "checkpoint")


class Checkpoints(Checkpoint):
    """Save `best.ckpt` if the monitored metric is the best so far, then `last.ckpt`, after every epoch.

    In this order, `best.ckpt` always contains the best epoch that `last.ckpt` records. If the process ends
    between the two, the epoch is repeated with the same result when the run is resumed.

    Args:
        folder: Folder of the checkpoints.
        monitor: Name of the metric.
        lowest: Whether lower values are better.
        keep_best: Whether there is validation; if not, only `last.ckpt` is saved.
    """

    def __init__(
        self,
        folder: Path,
        monitor: str = _MONITOR,
        *,
        lowest: bool = False,
        keep_best: bool = True,
    ) -> None:
        self.folder, self.monitor, self.keep_best = folder, monitor, keep_best
        self.sign = -1 if lowest else 1
        self.best = float("-inf")

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Save the checkpoints of this epoch."""
        metrics = trainer.callback_metrics
        score = self.sign * float(metrics[self.monitor]) if self.keep_best else self.best
        if score > self.best:
            self.best = score
            trainer.save_checkpoint(self.folder / "best.ckpt")
        trainer.save_checkpoint(self.folder / "last.ckpt")

    def state_dict(self) -> dict[str, Any]:
        """The best score so far, stored in checkpoints."""
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the best score from a checkpoint."""
        self.best = state_dict["best"]


class DiceEarlyStopping(EarlyStopping):
    """Early stopping on the validation Dice that also applies to a resumed run whose patience is exhausted.

    Args:
        patience: Epochs without improvement after which training stops.
    """

    def __init__(self, patience: int) -> None:
        super().__init__(_MONITOR, patience=patience, mode=_MODE)

    @property
    def state_key(self) -> str:
        """Key of the state in checkpoints; fixed, so that checkpoints of rma-mamba 0.1 can be resumed."""
        return f"Patience{ {'monitor': _MONITOR, 'mode': _MODE} }"

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the count of epochs from a checkpoint; the patience is that of the recipe."""
        super().load_state_dict({**state_dict, "patience": self.patience})

    def on_train_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Stop immediately if the patience is already exhausted."""
        trainer.should_stop = trainer.should_stop or self.wait_count >= self.patience


def last_checkpoint(folder: Path, resume: bool) -> Path | None:
    """The checkpoint in a run folder to resume from; None if there is none.

    Raises:
        ConfigError: There is one, but `resume` is false; or it was removed from the folder of a completed run.
    """
    last = folder / "checkpoints" / "last.ckpt"
    complete = (folder / WEIGHTS_FILE).exists()
    if (last.exists() or complete) and not resume:
        raise ConfigError(
            f"the folder {folder.name} already contains a training run; expected an empty folder. "
            "Continue the run with --resume, or choose another folder with --set run.folder=FOLDER."
        )
    if complete and not last.exists():
        raise ConfigError(
            f"the folder {folder.name} contains the weights of a training run, but no checkpoint to continue from; "
            "expected checkpoints/last.ckpt. Restore it, or choose another folder with --set run.folder=FOLDER."
        )
    if resume:
        remove_unfinished(folder)
        remove_unfinished(last.parent)
    return last if last.exists() else None


def check_network(checkpoint: Path, model: nn.Module) -> None:
    """Check that a checkpoint belongs to a network of this kind.

    Raises:
        ConfigError: Its parameters have other names or shapes, or it is corrupt.
    """
    saved, own = model_state(checkpoint), model.state_dict()
    wrong = [
        name
        for name in dict.fromkeys([*own, *saved])
        if name not in own or name not in saved or own[name].shape != saved[name].shape
    ]
    if wrong:
        raise ConfigError(
            f"the checkpoint {checkpoint.name} belongs to another network than that of the recipe ({len(wrong)} "
            f"parameters differ, such as {wrong[0]}); expected the network that the run started with. Restore "
            "model.name and model.settings, or choose another folder with --set run.folder=FOLDER."
        )


def completed_epochs(checkpoint: Path) -> int:
    """Number of epochs completed when a checkpoint was written.

    Raises:
        ConfigError: The checkpoint is corrupt.
    """
    return epochs_and_state(checkpoint)[0]


def model_state(checkpoint: Path) -> dict[str, torch.Tensor]:
    """Parameters and buffers of the network in a checkpoint; the averaged ones if weights are averaged.

    Raises:
        ConfigError: The checkpoint is missing or corrupt.
    """
    return epochs_and_state(checkpoint)[1]


def epochs_and_state(checkpoint: Path) -> tuple[int, dict[str, torch.Tensor]]:
    """As `completed_epochs` and `model_state`, from one reading of the file."""
    content = _content(checkpoint)
    state = content["state_dict"]
    named = {name.removeprefix("model."): tensor for name, tensor in state.items()}
    return int(content["epoch"]) + 1, named


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
            f"the checkpoint {checkpoint.name} cannot be read; expected a checkpoint of this training run. "
            "Restore it from a backup, or start again in another folder."
        ) from None
