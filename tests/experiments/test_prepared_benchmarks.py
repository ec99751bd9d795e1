"""Every bundled benchmark runs from `data prepare` of a small tree in the published layout to its tables."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

import layouts
from prepared import prepared
from rma_mamba.datasets.audit import audit
from rma_mamba.datasets.layouts import LayoutOptions, open_dataset
from rma_mamba.datasets.prepare import RECIPE_DATA, prepare
from rma_mamba.errors import ConfigError
from rma_mamba.experiments import bundled_benchmarks, load_benchmark, run_benchmark

QUICK = (
    "training.epochs=1",
    "training.limit_batches=1",
    "training.batch_size=2",
    "training.workers=0",
    "training.accelerator=cpu",
    "data.crop=32",
    "data.recipe.size=32",
)
TINY = (
    "model.settings.width=8",
    "model.settings.depths=[1, 1, 1, 1]",
    "model.settings.decoder_width=8",
)
Write = Callable[[Path], Path]
# benchmark, network, its settings, layout, writer of the tree, sequences (none: all), group of the tables
CASES: list[tuple[str, str, tuple[str, ...], str, Write, tuple[str, ...], str]] = [
    ("cirrmri600_t2", "UNeXt", (), "cirrmri600", layouts.write_cirrmri, ("T2 2D",), "T2 2D"),
    ("cirrmri600_t2", "UNeXt", (), "cirrmri600", layouts.write_cirrmri, (), "T2"),
    ("ablation", "#1 T, N=0, RA", TINY, "cirrmri600", layouts.write_cirrmri, ("T2",), "T2"),
    ("lits", "UNeXt", (), "lits", layouts.write_lits, (), "CT"),
    ("lits", "UNeXt", (), "msd-liver", layouts.write_msd, (), "CT"),
    ("chaos_mini", "UNeXt", (), "chaos", partial(layouts.write_chaos, patients=5), ("T2",), "T2"),
    ("options_mr", "Plain", TINY, "chaos", partial(layouts.write_chaos, patients=5), ("T2",), "T2"),
    ("options_ct", "Abdominal window", TINY, "lits", layouts.write_lits, (), "CT"),
]


def prepare_tree(tmp_path: Path, layout: str, write: Write, sequences: tuple[str, ...]) -> Path:
    dataset = open_dataset(layout, write(tmp_path / "tree"), LayoutOptions(), sequences)
    prepare(audit(dataset), tmp_path / "prepared")
    return tmp_path / "prepared" / RECIPE_DATA


def test_every_bundled_benchmark_is_among_the_cases() -> None:
    assert {name for name, *_ in CASES} == set(bundled_benchmarks())


@pytest.mark.parametrize(
    ("benchmark", "network", "settings", "layout", "write", "sequences", "group"), CASES
)
def test_a_bundled_benchmark_runs_from_prepared_data_to_tables(
    tmp_path: Path,
    benchmark: str,
    network: str,
    settings: tuple[str, ...],
    layout: str,
    write: Write,
    sequences: tuple[str, ...],
    group: str,
) -> None:
    data = prepare_tree(tmp_path, layout, write, sequences)
    chosen = load_benchmark(benchmark).model_copy(update={"image_size": 32})
    out = tmp_path / "out"
    text = run_benchmark(
        chosen, (*QUICK, *settings), folder=out, data=data, only=[network], quiet=True
    )
    assert f"256 x 256 ({group})" in text
    (row, *more) = [line for line in text.splitlines() if line.startswith(f"| {network}")]
    assert "-" not in {cell.strip() for cell in row.split("|")}
    assert bool(more)
    assert text.count("at most 1 epoch; ended after 1 epoch; seed 42; 1 run per network") == 2
    for name in ("table.md", "table.tex", "table.csv", "boxes.png", "curves.png", "panel.png"):
        assert (out / name).stat().st_size > 100
    assert ("were held out" in text) == (layout == "chaos")


def test_data_with_too_few_patients_are_refused_before_training(tmp_path: Path) -> None:
    prepared("chaos", layouts.write_chaos(tmp_path / "tree"), tmp_path / "prepared")
    with pytest.raises(
        ConfigError, match="2 for train, 2 for val, 0 for test; expected at least one"
    ):
        run_benchmark(
            load_benchmark("chaos_mini"),
            QUICK,
            folder=tmp_path / "out",
            data=tmp_path / "prepared" / RECIPE_DATA,
            quiet=True,
        )
    assert not (tmp_path / "out").exists()
