"""Recipes of training runs that take a second or two."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from folders import folder_config, write_folder
from news import ignore_below
from one_thread import one_thread
from quick_curves import curves_are_not_drawn
from rma_mamba.training.toml_writer import to_toml
from tiny import MODEL, TRAINING

__all__ = ["curves_are_not_drawn", "one_thread"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Training runs of a second or two: see `news`."""
    ignore_below(items, Path(__file__).parent)


@pytest.fixture
def content(tmp_path: Path) -> dict[str, Any]:
    """The recipe of a tiny network on a small folder of data, as TOML content."""
    data = folder_config(write_folder(tmp_path / "data"))
    return {
        "run": {"folder": str(tmp_path / "run")},
        "model": deepcopy(MODEL),
        "training": {**TRAINING, "average_weights": 0.5},
        "data": {
            **data.model_dump(mode="json", exclude_unset=True),
            "slices_per_epoch": 24,
        },
    }


@pytest.fixture
def recipe(tmp_path: Path, content: dict[str, Any]) -> Path:
    """The same recipe as a file."""
    path = tmp_path / "recipe.toml"
    path.write_text(to_toml(content))
    return path
