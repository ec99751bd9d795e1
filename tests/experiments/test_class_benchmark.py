"""A benchmark of a recipe with several classes compares every class."""

import csv
from pathlib import Path

from rma_mamba.experiments import Benchmark, run_benchmark
from rma_mamba.training.toml_writer import to_toml
from tumours import tumour_recipe, write_tumours


def test_every_class_is_in_the_tables_and_tested(tmp_path: Path) -> None:
    recipe = tumour_recipe(write_tumours(tmp_path / "data"), tmp_path / "run")
    recipe["training"]["epochs"] = 1
    recipe["data"]["splits"]["lits"]["test"] = ["2", "4"]
    (tmp_path / "recipe.toml").write_text(to_toml(recipe))
    networks = [
        {"name": name, "model": "unet", "settings": {"width": width}}
        for name, width in (("narrow", 2), ("wide", 4))
    ]
    benchmark = Benchmark(
        title="Two classes",
        folder=str(tmp_path / "out"),
        recipe=str(tmp_path / "recipe.toml"),
        image_size=32,
        panel_patients=0,
        networks=networks,  # type: ignore[arg-type]
    )
    text = run_benchmark(benchmark, quiet=True)
    assert "2 cases of 2 patients; with each class: 2 liver, 2 tumour." in text
    heading = next(line for line in text.splitlines() if "tumour: Dice" in line)
    assert "liver: Dice" in heading
    assert "| narrow | CT | tumour |" in text  # the table of lesions
    assert "### Paired tests of the tumour Dice per patient" in text
    rows = list(csv.DictReader((tmp_path / "out" / "table.csv").open()))
    assert all(0 <= float(row["tumour: Dice"]) <= 1 for row in rows)
    assert (tmp_path / "out" / "scores" / "per_class.csv").exists()
