from pathlib import Path

import pytest

from folders import folder_config, write_folder
from rma_mamba.datasets.config import DataConfig


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small folder of labelled data."""
    return write_folder(tmp_path)


@pytest.fixture
def config(folder: Path) -> DataConfig:
    """Settings that read it."""
    return folder_config(folder)
