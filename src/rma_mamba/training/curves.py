"""Learning curves of a training run over all its epochs, including those before an interruption."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from rma_mamba.files import replace_file
from rma_mamba.training.history import History, write_history

_INTERVAL_S = 60  # between two drawings, each of which takes about a third of a second
_DPI = 120
# fixed, because matplotlib takes as long to find them as to draw everything else
_MARGINS = {"left": 0.05, "right": 0.985, "bottom": 0.14, "top": 0.91, "wspace": 0.2}
_OF_CLASS = "val_dice_"  # beginning of the metrics of single classes
_MAX_MARKED_EPOCHS = 30  # epochs up to which each one is marked with a dot


class Curves(Callback):
    """Record loss, Dice and learning rate of each epoch in `history.json`, and plot them in `curves.png`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.history: History = {}
        self._drawn_at = time.monotonic()

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Record the metrics of this epoch; write the files at most once a minute."""
        of_classes = [name for name in trainer.callback_metrics if name.startswith(_OF_CLASS)]
        values: dict[str, float] = {
            name: float(trainer.callback_metrics[name])
            for name in ("train_loss", "val_loss", "val_dice", *of_classes)
            if name in trainer.callback_metrics  # no validation, no validation metrics
        }
        values["lr"] = max(group["lr"] for group in trainer.optimizers[0].param_groups)
        for name, value in values.items():
            self.history.setdefault(name, []).append(value)
        if trainer.is_global_zero and time.monotonic() - self._drawn_at > _INTERVAL_S:
            self._write()
            self._drawn_at = time.monotonic()

    def on_train_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Write the files with all epochs."""
        if trainer.is_global_zero and self.history:
            self._write()

    def _write(self) -> None:
        write_history(self.folder, self.history)
        replace_file(self.folder / "curves.png", draw_curves(self.history), "curves")

    def state_dict(self) -> dict[str, Any]:
        """The metrics of all epochs so far, stored in checkpoints."""
        return {"history": self.history}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the metrics from a checkpoint."""
        self.history = state_dict["history"]


class EarlyEnd(Callback):
    """End a run after an epoch, also one that is resumed with the checkpoint of that epoch.

    Args:
        curves: The metrics of all epochs.
        stop: Decides from the validation Dice of all epochs so far.
    """

    def __init__(self, curves: Curves, stop: Callable[[Sequence[float]], bool]) -> None:
        self.curves, self.stop = curves, stop

    def on_train_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """End the run before it continues."""
        self._apply(trainer)

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """End the run after this epoch."""
        self._apply(trainer)

    def _apply(self, trainer: lightning.Trainer) -> None:
        history = self.curves.history.get("val_dice", [])
        if history and self.stop(history):
            trainer.should_stop = True


def draw_curves(history: History) -> bytes:
    """Plot losses, validation Dice and learning rate against the epoch, as PNG.

    Args:
        history: One value per epoch of "train_loss", "lr" and, with validation, "val_loss" and "val_dice", and of
            "val_dice_CLASS" if there are several classes.
    """
    figure = Figure(figsize=(12, 3.6))
    loss, dice, rate = figure.subplots(1, 3, gridspec_kw=_MARGINS)
    _plot(loss, history, {"train_loss": "training", "val_loss": "validation"}, "loss")
    of_classes = {
        name: name.removeprefix(_OF_CLASS) for name in history if name.startswith(_OF_CLASS)
    }
    _plot(dice, history, {"val_dice": "mean" if of_classes else "validation", **of_classes}, "Dice")
    dice.set_ylim(0, 1)
    _plot(rate, history, {"lr": "highest of all parameter groups"}, "learning rate")
    if any(value > 0 for value in history.get("lr", [])):  # a schedule may end at 0
        rate.set_yscale("log")
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=_DPI)
    return content.getvalue()


def _plot(axes: Axes, history: History, names: dict[str, str], title: str) -> None:
    shown = {name: label for name, label in names.items() if name in history}
    for name, label in shown.items():
        values = history[name]
        marker = "." if len(values) < _MAX_MARKED_EPOCHS else ""
        axes.plot(range(len(values)), values, marker=marker, label=label)
    axes.set(title=title, xlabel="epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    if shown:
        axes.legend()
