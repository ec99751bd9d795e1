"""A recipe of a sweep whose runs take half a second."""

from pathlib import Path

import pytest

from folders import folder_config, write_folder
from news import ignore_below
from rma_mamba.training.toml_writer import to_toml
from tiny import TRAINING


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Training runs of a second or two: see `news`."""
    ignore_below(items, Path(__file__).parent)


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    data = folder_config(write_folder(tmp_path / "data"))
    content = {
        "run": {"folder": str(tmp_path / "sweep")},
        "model": {"name": "unext", "settings": {"widths": [8, 8, 8, 8, 8]}},
        "training": {**TRAINING, "loggers": []},
        "data": {**data.model_dump(mode="json", exclude_unset=True), "slices_per_epoch": 8},
    }
    path = tmp_path / "recipe.toml"
    path.write_text(to_toml(content))
    return path
