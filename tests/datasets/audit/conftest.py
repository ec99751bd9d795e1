from pathlib import Path

import pytest

from layouts import write_cirrmri, write_folders


@pytest.fixture
def cirrmri(tmp_path: Path) -> Path:
    """An intact dataset with a published split."""
    return write_cirrmri(tmp_path)


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """An intact dataset in plain folders."""
    return write_folders(tmp_path, 6)
