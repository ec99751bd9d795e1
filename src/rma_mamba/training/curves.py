"""The curves of a training, from its first epoch on, also if it was interrupted."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from rma_mamba.files import replace_file

_SECONDS = 60  # between two drawings: one takes about a third of a second
_DOTS = 120  # per inch
_HISTORY = "history.json"

History = dict[str, list[float]]


class Curves(Callback):
    """Keeps loss, Dice and learning rate of every epoch in `history.json`, and draws them to `curves.png`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.history: History = {}
        self._drawn_at = time.monotonic()

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Keep this epoch, and draw now and then."""
        values = {
            name: float(trainer.callback_metrics[name])
            for name in ("train_loss", "val_loss", "val_dice")
        }
        values["lr"] = max(group["lr"] for group in trainer.optimizers[0].param_groups)
        for name, value in values.items():
            self.history.setdefault(name, []).append(value)
        if trainer.is_global_zero and time.monotonic() - self._drawn_at > _SECONDS:
            self._write()
            self._drawn_at = time.monotonic()

    def on_train_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Draw all."""
        if trainer.is_global_zero and self.history:
            self._write()

    def _write(self) -> None:
        replace_file(self.folder / _HISTORY, json.dumps(self.history).encode(), "curves")
        replace_file(self.folder / "curves.png", draw_curves(self.history), "curves")

    def state_dict(self) -> dict[str, Any]:
        """All epochs so far."""
        return {"history": self.history}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take them up again."""
        self.history = state_dict["history"]


def read_history(folder: Path) -> History:
    """What a training kept of its epochs; nothing of a folder without."""
    try:
        found: History = json.loads((folder / _HISTORY).read_text())
    except (OSError, ValueError):
        return {}
    return found


def draw_curves(history: History) -> bytes:
    """Losses, validation Dice and learning rate over the epochs, as a PNG.

    Args:
        history: One value each epoch of "train_loss", "val_loss", "val_dice" and "lr".
    """
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    loss, dice, rate = figure.subplots(1, 3)
    _plot(loss, history, {"train_loss": "training", "val_loss": "validation"}, "loss")
    _plot(dice, history, {"val_dice": "validation"}, "Dice")
    dice.set_ylim(0, 1)
    _plot(rate, history, {"lr": "highest of all groups"}, "learning rate")
    rate.set_yscale("log")
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=_DOTS)
    return content.getvalue()


def _plot(axes: Axes, history: History, names: dict[str, str], title: str) -> None:
    for name, label in names.items():
        values = history[name]
        axes.plot(range(len(values)), values, marker="." if len(values) < 30 else "", label=label)
    axes.set(title=title, xlabel="epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    axes.legend()
