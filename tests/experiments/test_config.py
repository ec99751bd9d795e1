"""A benchmark is validated before any network is trained."""

from pathlib import Path

import pytest
import torch

from rma_mamba.errors import ConfigError
from rma_mamba.experiments import bundled_benchmarks, load_benchmark
from rma_mamba.models import create_model
from rma_mamba.training import load_recipe


@pytest.mark.parametrize("name", bundled_benchmarks())
def test_a_bundled_benchmark_names_networks_and_recipes_that_exist(name: str) -> None:
    benchmark = load_benchmark(name)
    for row in benchmark.networks:
        recipe = load_recipe(row.recipe or benchmark.recipe)
        with torch.device("meta"):
            create_model(row.model or recipe.model.name, **row.settings)


def test_the_benchmarks_of_the_paper_contain_its_rows() -> None:
    for name in ("cirrmri600_t2", "lits"):
        models = {row.model for row in load_benchmark(name).networks}
        assert {"unet", "vm-unet-v2", "rma-mamba-t", "rma-mamba-s", "pvtformer"} < models
        assert len(models) == 13
    assert len(load_benchmark("ablation").networks) == 6


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "image_size = 32",
            "image_sizes = 32",
            r"the benchmark has an unknown setting 'image_sizes'; .* Did you mean 'image_size'\?",
        ),
        ('"U-Net"', '"ours, more"', r"expected a different one for each"),
        ("title", "= title", r"is not valid TOML"),
    ],
)
def test_an_invalid_setting_is_named(
    benchmark_file: Path, old: str, new: str, message: str
) -> None:
    benchmark_file.write_text(benchmark_file.read_text().replace(old, new, 1))
    with pytest.raises(ConfigError, match=message):
        load_benchmark(benchmark_file)


def test_a_missing_file_lists_the_bundled_benchmarks() -> None:
    with pytest.raises(ConfigError, match="expected a TOML file or one of ablation, chaos_mini"):
        load_benchmark("nothing")


def test_the_old_key_of_the_image_size_is_accepted(benchmark_file: Path) -> None:
    benchmark_file.write_text(benchmark_file.read_text().replace("image_size =", "side ="))
    with pytest.warns(DeprecationWarning, match="use 'image_size'"):
        assert load_benchmark(benchmark_file).image_size == 32


@pytest.mark.parametrize(
    ("line", "seeds"),
    [
        ("", (7,)),
        ("runs = 3", (7, 8, 9)),
        ("seeds = [4, 0]", (4, 0)),
        ("runs = 2\nseeds = [4, 0]", (4, 0)),
    ],
)
def test_runs_and_seeds_give_the_seeds_of_every_network(
    benchmark_file: Path, line: str, seeds: tuple[int, ...]
) -> None:
    benchmark_file.write_text(f"{line}\n{benchmark_file.read_text()}")
    benchmark = load_benchmark(benchmark_file)
    assert benchmark.seeds_of(7) == seeds
    assert benchmark.with_runs(2).seeds_of(7) == (7, 8)
    assert benchmark.with_runs(seeds=[3]).seeds_of(7) == (3,)
    assert benchmark.with_runs() is benchmark


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("runs = 0", "runs.*greater than or equal to 1"),
        ("seeds = [1, 2, 1]", "the seeds are 1, 2, 1; expected a different one"),
        ("seeds = [-1]", "seeds.*greater than or equal to 0"),
        ("runs = 3\nseeds = [1, 2]", "runs is 3, and there are 2 seeds"),
    ],
)
def test_invalid_runs_are_refused(benchmark_file: Path, line: str, message: str) -> None:
    text = benchmark_file.read_text()
    benchmark_file.write_text(f"{line}\n{text}")
    with pytest.raises(ConfigError, match=message):
        load_benchmark(benchmark_file)
    benchmark_file.write_text(text)
    with pytest.raises(ConfigError, match="expected a different one"):
        load_benchmark(benchmark_file).with_runs(seeds=[1, 1])
    with pytest.raises(ConfigError, match="Omit --runs or --seeds"):
        load_benchmark(benchmark_file).with_runs(2, [1])
