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


def runs(benchmark: Benchmark, tmp_path: Path, *overrides: str) -> list[NetworkRun]:
    """All runs of the U-Net."""
    options = RunOptions(tmp_path / "out", overrides, None, True, lambda _: None)
    return NetworkRun.all_of(benchmark, benchmark.networks[1], options)


def complete(run: NetworkRun) -> None:
    """Leave what a completed training run leaves."""
    recipe = run.recipe.model_dump(mode="json", exclude={"run": {"folder"}})
    run.folder.mkdir(parents=True)
    (run.folder / "benchmark.json").write_text(json.dumps({"recipe": fingerprint(recipe)}))
    run.weights.write_bytes(b"weights")


def test_every_seed_has_a_run_and_a_folder(benchmark: Benchmark, tmp_path: Path) -> None:
    top = tmp_path / "out" / "u-net"
    for changed, overrides, seeds in (
        (benchmark.with_runs(3), (), [42, 43, 44]),
        (benchmark.with_runs(2), ("run.seed=7",), [7, 8]),
        (benchmark.with_runs(seeds=[5, 1]), (), [5, 1]),
        (benchmark.with_runs(seeds=[5]), (), [5]),
    ):
        found = runs(changed, tmp_path, *overrides)
        assert [each.recipe.run.seed for each in found] == [each.seed for each in found] == seeds
        assert [each.folder for each in found] == [top / f"seed-{seed}" for seed in seeds]
    (alone,) = runs(benchmark, tmp_path)
    assert (alone.folder, alone.seed) == (top, None)


def test_a_completed_run_is_kept_when_runs_are_added_or_left_out(
    benchmark: Benchmark, tmp_path: Path
) -> None:
    (alone,) = runs(benchmark, tmp_path)
    complete(alone)
    first, second = runs(benchmark.with_runs(2), tmp_path)
    assert (first.folder, first.check(), second.check()) == (alone.folder, False, True)
    complete(second)
    (same,) = runs(benchmark, tmp_path, "run.seed=43")
    assert same.folder == alone.folder  # which contains the run of another seed
    with pytest.raises(
        ConfigError, match="the folder of U-Net contains a training run with another"
    ):
        same.check()
    for name in ("benchmark.json", "weights.safetensors"):
        (alone.folder / name).unlink()
    (same,) = runs(benchmark, tmp_path, "run.seed=43")
    assert (same.folder, same.check()) == (second.folder, False)


def test_a_seed_that_is_stated_twice_is_refused(benchmark: Benchmark, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"has seeds, and run.seed of U-Net is set as well"):
        runs(benchmark.with_runs(seeds=[1, 2]), tmp_path, "run.seed=7")
