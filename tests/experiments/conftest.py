"""A benchmark of two tiny networks on a small folder of data."""

from pathlib import Path

import pytest

from folders import folder_config, write_folder
from news import ignore_below
from one_thread import one_thread
from quick_curves import curves_are_not_drawn
from rma_mamba.training.toml_writer import to_toml
from tiny import TRAINING

__all__ = ["curves_are_not_drawn", "one_thread"]

BENCHMARK = """
title = "Trial"
folder = "{folder}"
recipe = "recipe.toml"
image_size = 32
panel_patients = 1

[[networks]]
name = "Ours & more"
publication = "2025"
model = "rma-mamba-n"
settings = {{ width = 8, depths = [1, 1, 1, 1], decoder_width = 8 }}

[[networks]]
name = "U-Net"
model = "unet"
settings = {{ width = 4 }}
set = ["training.lr=1e-3"]
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Training runs of a second or two: see `news`."""
    ignore_below(items, Path(__file__).parent)


@pytest.fixture
def benchmark_file(tmp_path: Path) -> Path:
    """The benchmark, beside its recipe and its data."""
    data = folder_config(write_folder(tmp_path / "data"))
    content = {
        "training": {**TRAINING, "epochs": 1, "lr": 1e-4},
        "data": {**data.model_dump(mode="json", exclude_unset=True), "slices_per_epoch": 8},
    }
    (tmp_path / "recipe.toml").write_text(to_toml(content))
    path = tmp_path / "benchmark.toml"
    path.write_text(BENCHMARK.format(folder=tmp_path / "out"))
    return path
