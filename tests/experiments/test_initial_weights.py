"""A benchmark needs the initial weights of the networks that it trains, and of no others."""

from pathlib import Path

import pytest

from rma_mamba.errors import ConfigError
from rma_mamba.experiments.benchmark_run import _with_initial_weights
from rma_mamba.experiments.config import Benchmark

BENCHMARK = Benchmark.model_validate(
    {
        "title": "Trial",
        "folder": "out",
        "recipe": "default",
        "networks": [
            {"name": "A", "weights": "a.pth"},
            {"name": "B", "weights": "b.pth"},
            {"name": "C"},
        ],
    }
)


@pytest.mark.parametrize("selected", [["A"], ["A", "C"], ["C"]])
def test_only_the_files_of_selected_networks_have_to_exist(
    tmp_path: Path, selected: list[str]
) -> None:
    (tmp_path / "a.pth").touch()
    found = _with_initial_weights(BENCHMARK, tmp_path, selected)
    expected = [str(tmp_path / "a.pth"), str(tmp_path / "b.pth"), None]
    assert [row.weights for row in found.networks] == expected
    with pytest.raises(ConfigError, match=r"does not contain b\.pth, the initial weights of B"):
        _with_initial_weights(BENCHMARK, tmp_path, [*selected, "B"])


def test_without_a_folder_networks_start_from_random_weights() -> None:
    found = _with_initial_weights(BENCHMARK, None, ["A"])
    assert not any(row.weights for row in found.networks)
