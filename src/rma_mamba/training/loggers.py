"""Where metrics go: files in the run's folder, MLflow or Weights & Biases."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

from lightning.pytorch.loggers import (
    CSVLogger,
    Logger,
    MLFlowLogger,
    TensorBoardLogger,
    WandbLogger,
)

from rma_mamba.errors import ConfigError

_PROJECT = "rma-mamba"


def make_loggers(names: Sequence[str], folder: Path) -> list[Logger]:
    """The loggers of these names ("csv", "tensorboard", "mlflow", "wandb").

    Args:
        names: Which ones.
        folder: Of the run; its name is the name of the run.

    Raises:
        ConfigError: A package is not installed.
    """
    return [_MAKERS[name](folder) for name in names]


def _mlflow(folder: Path) -> Logger:
    _need("mlflow")
    uri = os.environ.get("MLFLOW_TRACKING_URI", (folder / "mlflow").absolute().as_uri())
    return MLFlowLogger(_PROJECT, run_name=folder.name, tracking_uri=uri)


def _wandb(folder: Path) -> Logger:
    _need("wandb")
    folder.mkdir(parents=True, exist_ok=True)
    offline = "WANDB_MODE" not in os.environ
    return WandbLogger(folder.name, save_dir=folder, project=_PROJECT, offline=offline)


def _need(package: str) -> None:
    if find_spec(package) is None:
        raise ConfigError(
            f"the logger {package} is not installed; expected its package. Install it with "
            f"pip install 'rma-mamba[{package}]', or take {package} out of training.loggers."
        )


_MAKERS: dict[str, Callable[[Path], Logger]] = {
    "csv": lambda folder: CSVLogger(folder, "metrics"),
    "tensorboard": lambda folder: TensorBoardLogger(folder, "tensorboard"),
    "mlflow": _mlflow,
    "wandb": _wandb,
}
