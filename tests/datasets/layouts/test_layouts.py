"""Every layout is detected and read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from layouts import (
    write_chaos,
    write_cirrmri,
    write_folders,
    write_lits,
    write_msd,
    write_nnunet,
)
from rma_mamba.datasets.layouts import (
    LAYOUTS,
    detect,
    open_dataset,
)
from rma_mamba.errors import ConfigError

WRITERS: dict[str, Callable[[Path], Path]] = {
    "cirrmri600": write_cirrmri,
    "chaos": write_chaos,
    "msd-liver": write_msd,
    "lits": write_lits,
    "nnunet": write_nnunet,
    "folders": write_folders,
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_is_detected_from_its_folder(tmp_path: Path, name: str) -> None:
    folder = WRITERS[name](tmp_path)
    assert detect(folder) == name
    dataset = open_dataset("auto", folder)
    assert dataset.name == name
    names = [each.name for each in dataset.cases]
    assert len(set(names)) == len(names)
    assert all(path.exists() for each in dataset.cases for path in each.files)


@pytest.mark.parametrize("name", LAYOUTS)
def test_an_empty_folder_is_an_error_with_the_expected_files(tmp_path: Path, name: str) -> None:
    assert detect(tmp_path) is None
    with pytest.raises(ConfigError) as caught:
        open_dataset(name, tmp_path)
    assert LAYOUTS[name].expected in str(caught.value)
    with pytest.raises(ConfigError, match="does not exist"):
        open_dataset(name, tmp_path / "lost")


def test_the_error_for_a_wrong_layout_names_the_detected_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="looks like 'folders'"):
        open_dataset("lits", write_folders(tmp_path, 1))
    with pytest.raises(ConfigError, match="expected one of cirrmri600"):
        open_dataset("other", tmp_path)
