"""Learning curves are recorded for every epoch and survive an interruption."""

import io
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from rma_mamba.training import read_history
from rma_mamba.training.curves import Curves, draw_curves
from rma_mamba.training.history import write_history

NAMES = ("train_loss", "val_loss", "val_dice", "lr")


def trainer(loss: float) -> SimpleNamespace:
    """What the callback reads of a trainer."""
    metrics = {"train_loss": loss, "val_loss": 2 * loss, "val_dice": 1 - loss}
    optimizer = SimpleNamespace(param_groups=[{"lr": 0.1}, {"lr": 0.3}])
    return SimpleNamespace(callback_metrics=metrics, optimizers=[optimizer], is_global_zero=True)


def test_a_resumed_run_has_the_metrics_of_all_epochs(tmp_path: Path) -> None:
    first = Curves(tmp_path)
    first.on_train_epoch_end(trainer(0.5), None)  # type: ignore[arg-type]
    resumed = Curves(tmp_path)
    resumed.load_state_dict(first.state_dict())
    resumed.on_train_epoch_end(trainer(0.25), None)  # type: ignore[arg-type]
    assert read_history(tmp_path) == {}
    resumed.on_train_end(trainer(0.25), None)  # type: ignore[arg-type]
    assert read_history(tmp_path) == {
        "train_loss": [0.5, 0.25],
        "val_loss": [1.0, 0.5],
        "val_dice": [0.5, 0.75],
        "lr": [0.3, 0.3],
    }
    assert (tmp_path / "curves.png").exists()


@pytest.mark.parametrize("content", ["", "{", "\udc80"])
def test_a_missing_or_corrupt_history_is_empty(tmp_path: Path, content: str) -> None:
    assert read_history(tmp_path) == {}
    write_history(tmp_path, {"lr": [1.0]})
    assert read_history(tmp_path) == {"lr": [1.0]}
    (path,) = tmp_path.glob("*.json")
    path.write_text(content, "utf-8", "surrogateescape")
    assert read_history(tmp_path) == {}


def test_a_learning_rate_that_ends_at_zero_is_plotted_without_a_warning() -> None:
    for rates in ([0.0], [0.1, 0.0]):
        assert draw_curves({**dict.fromkeys(NAMES, [0.5] * len(rates)), "lr": rates})


@pytest.mark.parametrize("epochs", [1, 40])
def test_curves_depend_on_the_history(epochs: int) -> None:
    flat, rising = (
        np.asarray(Image.open(io.BytesIO(draw_curves(dict.fromkeys(NAMES, values)))))
        for values in ([0.5] * epochs, list(np.linspace(0.1, 0.9, epochs)))
    )
    assert flat.shape == rising.shape
    assert flat.shape[1] > flat.shape[0] > 300
    assert (flat != rising).any()
