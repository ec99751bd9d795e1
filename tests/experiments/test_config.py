"""A benchmark is checked before anything is trained."""

from pathlib import Path

import pytest
import torch

from rma_mamba.errors import ConfigError
from rma_mamba.experiments import bundled_benchmarks, load_benchmark
from rma_mamba.models import create_model
from rma_mamba.training import load_recipe


@pytest.mark.parametrize("name", bundled_benchmarks())
def test_a_shipped_benchmark_names_networks_and_recipes_that_exist(name: str) -> None:
    benchmark = load_benchmark(name)
    for row in benchmark.networks:
        recipe = load_recipe(row.recipe or benchmark.recipe)
        with torch.device("meta"):
            create_model(row.model or recipe.model.name, **row.settings)


def test_the_benchmarks_of_the_paper_hold_its_rows() -> None:
    for name in ("cirrmri600_t2", "lits"):
        models = {row.model for row in load_benchmark(name).networks}
        assert {"unet", "vm-unet-v2", "rma-mamba-t", "rma-mamba-s", "pvtformer"} < models
        assert len(models) == 13
    assert len(load_benchmark("ablation").networks) == 6


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("side = 32", "sides = 32", r"setting 'sides' is wrong; expected: Extra inputs"),
        ('"U-Net"', '"ours, more"', r"expected a different one each"),
        ("title", "= title", r"is no TOML"),
    ],
)
def test_what_is_wrong_is_named(benchmark_file: Path, old: str, new: str, message: str) -> None:
    benchmark_file.write_text(benchmark_file.read_text().replace(old, new, 1))
    with pytest.raises(ConfigError, match=message):
        load_benchmark(benchmark_file)


def test_without_a_file_the_shipped_ones_are_named() -> None:
    with pytest.raises(ConfigError, match="expected a TOML file or one of ablation, chaos_mini"):
        load_benchmark("nothing")
