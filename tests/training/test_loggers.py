"""Loggers of the base installation work; a missing package is a one-line error that names the extra."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from rma_mamba.errors import BackendError
from rma_mamba.training import train
from rma_mamba.training.loggers import make_loggers


@pytest.mark.parametrize("name", ["mlflow", "wandb"])
def test_a_missing_package_is_named_with_its_extra(recipe: Path, name: str) -> None:
    if find_spec(name):
        pytest.skip(f"{name} is installed")
    with pytest.raises(BackendError, match=rf"pip install '\.\[{name}\]' from a clone") as caught:
        train(recipe, [f"training.loggers=['csv', '{name}']"], quiet=True)
    assert "\n" not in str(caught.value)
    assert not (recipe.parent / "run").exists()


@pytest.mark.parametrize("name", ["mlflow", "wandb"])
def test_an_installed_logger_stays_on_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    pytest.importorskip(name, reason=f"{name} is an extra")
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (logger,) = make_loggers([name], tmp_path)
    logger.log_metrics({"loss": 0.5}, step=1)
    logger.finalize("success")
    assert (tmp_path / name).is_dir()


def test_loggers_can_be_disabled(tmp_path: Path, recipe: Path) -> None:
    run = tmp_path / "run"
    small = ["training.epochs=1", "data.slices_per_epoch=4"]
    train(recipe, [*small, "training.loggers=[]"], quiet=True)
    assert not (run / "metrics").exists()
    assert not (run / "tensorboard").exists()
    assert not (run / "lightning_logs").exists()
