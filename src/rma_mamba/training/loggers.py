"""Loggers of metrics: CSV and TensorBoard files in the run folder, MLflow, Weights & Biases."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from lightning.pytorch.loggers import (
    CSVLogger,
    Logger,
    MLFlowLogger,
    TensorBoardLogger,
    WandbLogger,
)

from rma_mamba.extras import require_extra

_PROJECT = "rma-mamba"


def make_loggers(names: Sequence[str], folder: Path) -> list[Logger]:
    """Create loggers by name.

    Args:
        names: Any of "csv", "tensorboard", "mlflow" and "wandb".
        folder: Run folder; its name is the name of the run.

    Raises:
        BackendError: A package is not installed.
    """
    return [_MAKERS[name](folder) for name in names]


def _mlflow(folder: Path) -> Logger:
    require_extra("mlflow", "mlflow", "the logger mlflow of training.loggers")
    uri = os.environ.get("MLFLOW_TRACKING_URI", (folder / "mlflow").absolute().as_uri())
    return MLFlowLogger(_PROJECT, run_name=folder.name, tracking_uri=uri)


def _wandb(folder: Path) -> Logger:
    require_extra("wandb", "wandb", "the logger wandb of training.loggers")
    folder.mkdir(parents=True, exist_ok=True)
    offline = "WANDB_MODE" not in os.environ
    return WandbLogger(folder.name, save_dir=folder, project=_PROJECT, offline=offline)


_MAKERS: dict[str, Callable[[Path], Logger]] = {
    "csv": lambda folder: CSVLogger(folder, "metrics"),
    "tensorboard": lambda folder: TensorBoardLogger(folder, "tensorboard"),
    "mlflow": _mlflow,
    "wandb": _wandb,
}
