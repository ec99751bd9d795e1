"""A network of a benchmark gets its own settings, and a completed training run is reused."""

import json
from pathlib import Path

import pytest

from rma_mamba.errors import ConfigError
from rma_mamba.experiments import Benchmark, load_benchmark
from rma_mamba.experiments.network_run import NetworkRun, RunOptions
from rma_mamba.experiments.old_fingerprint import recipe_with_old_keys
from rma_mamba.experiments.score_cache import fingerprint


@pytest.fixture
def benchmark(benchmark_file: Path) -> Benchmark:
    return load_benchmark(benchmark_file)


def run(benchmark: Benchmark, tmp_path: Path, *overrides: str, notes: list[str]) -> NetworkRun:
    """The U-Net of the benchmark, which has a learning rate of its own."""
    options = RunOptions(tmp_path / "out", overrides, None, True, notes.append)
    return NetworkRun.of(benchmark, benchmark.networks[1], options)


def test_settings_of_the_command_line_take_precedence(benchmark: Benchmark, tmp_path: Path) -> None:
    own = run(benchmark, tmp_path, notes=[])
    assert own.recipe.model.name == "unet"
    assert own.recipe.model.settings == {"width": 4}
    assert own.recipe.training.lr == 1e-3
    assert own.recipe.run.folder == str(own.folder) == str(tmp_path / "out" / "u-net")
    changed = run(benchmark, tmp_path, "training.lr=5e-4", notes=[])
    assert changed.recipe.training.lr == 5e-4


def test_an_invalid_setting_is_found_before_training(benchmark: Benchmark, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown setting 'widht'"):
        run(benchmark, tmp_path, "model.settings.widht=4", notes=[])


@pytest.mark.parametrize("version", ["this one", "0.1"])
def test_a_completed_run_is_not_repeated(
    benchmark: Benchmark, tmp_path: Path, version: str
) -> None:
    notes: list[str] = []
    completed = run(benchmark, tmp_path, notes=notes)
    recipe = completed.recipe.model_dump(mode="json", exclude={"run": {"folder"}})
    if version == "0.1":
        recipe = recipe_with_old_keys(recipe)
    completed.folder.mkdir(parents=True)
    marker = completed.folder / "benchmark.json"
    marker.write_text(json.dumps({"recipe": fingerprint(recipe)}))
    completed.weights.write_bytes(b"weights")
    completed.train()
    assert notes == ["U-Net: already trained"]
    assert completed.weights.read_bytes() == b"weights"

    other = run(benchmark, tmp_path, "training.lr=5e-4", notes=notes)
    with pytest.raises(ConfigError, match="a training run with another recipe"):
        other.train()
