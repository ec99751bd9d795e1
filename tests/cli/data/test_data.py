"""The commands on datasets: what they print, write and return; and from a dataset to weights."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import get_args

import pytest

from layouts import write_folders, write_lits
from rma_mamba.cli.data.dataset_options import Name
from rma_mamba.datasets.layouts import LAYOUTS
from rma_mamba.models.weights import read_checkpoint
from tiny import SETTINGS


def test_the_command_knows_every_layout() -> None:
    assert set(get_args(get_args(Name)[0])) == {"auto", *LAYOUTS}


@pytest.mark.parametrize("name", ["check", "prepare", "summary"])
def test_every_command_has_a_help_text(command, name: str) -> None:
    assert name in command("data", "--help").out
    assert "--verbose" in command("data", name, "--help").out


def test_an_intact_dataset_is_reported_and_exits_with_0(command, tmp_path: Path) -> None:
    root = write_lits(tmp_path / "in")
    done = command("data", "check", "lits", root, "--json", tmp_path / "report.json")
    assert (done.code, done.err) == (0, "")
    assert "| CT | test | 1 | 1 | 10 |" in done.out
    assert "## Errors: 0" in done.out
    assert len(json.loads((tmp_path / "report.json").read_text())["cases"]) == 3
    without = command("data", "check", "lits", root, "--liver", "1", "-q")
    assert without.out != done.out


def test_errors_are_listed_before_a_one_line_error(command, tmp_path: Path) -> None:
    root = write_folders(tmp_path / "in", 3)
    shutil.copy(root / "labels" / "case_0.nii.gz", root / "labels" / "case_2.nii.gz")
    done = command("data", "check", "folders", root)
    assert done.code == 4
    assert "- **duplicate label** case_0, case_2:" in done.out
    assert done.err.startswith("rma-mamba: error: the dataset has 1 errors in 2 cases")
    assert len(done.err.splitlines()) == 1
    refused = command("data", "prepare", "folders", root, tmp_path / "out")
    assert refused.code == 4
    assert not (tmp_path / "out").exists()
    lenient = command("data", "prepare", "folders", root, tmp_path / "out", "--lenient")
    assert lenient.code == 0
    assert lenient.err.count("warning: excluded: case_") == 2
    assert "1 cases, 10 slices" in lenient.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lits"], "looks like 'folders'"),
        (["folders", "--liver", "one"], "--liver is 'one'"),
        (["folders", "--sequence", "T1"], "expected one of volumes"),
    ],
)
def test_a_wrong_argument_is_a_one_line_error(
    command, tmp_path: Path, arguments, message: str
) -> None:
    root = write_folders(tmp_path / "in", 1)
    done = command("data", "summary", arguments[0], root, *arguments[1:])
    assert done.code == 2
    assert message in done.err
    assert len(done.err.splitlines()) == 1


def test_the_summary_is_a_table(command, tmp_path: Path) -> None:
    done = command("data", "summary", "auto", write_lits(tmp_path))
    assert (done.code, done.err) == (0, "")
    assert "| CT | val | 1 | 1 | 10 | 0 |" in done.out


@pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"
)
def test_a_prepared_dataset_can_be_trained_on_in_place_and_after_moving_it(
    command, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    done = command(
        "data", "prepare", "folders", write_folders(tmp_path / "in", 4), out, "--folds", "2"
    )
    assert done.code == 0, done.err
    assert done.out.strip() == str(out / "recipe_data.toml")
    moved = shutil.move(out, tmp_path / "moved")
    settings = {
        "data.root": f"'{moved}'",
        "data.splits.folders.fold": 1,
        "data.crop": 32,
        "data.recipe": "{size = 32, spacing_mm = 4.0}",
        "data.slices_per_epoch": 8,
        "model.name": "'rma-mamba-n'",
        "model.settings": "{width = 8, depths = [1, 1, 1, 1], decoder_width = 8}",
        "run.folder": f"'{tmp_path / 'run'}'",
        "training.epochs": 1,
        "training.batch_size": 4,
        "training.workers": 0,
        "training.accelerator": "'cpu'",
    }
    words = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    trained = command("train", Path(moved) / "recipe_data.toml", *words)
    assert trained.code == 0, trained.err
    checkpoint = read_checkpoint(tmp_path / "run" / "weights.safetensors")
    assert checkpoint.settings["width"] == SETTINGS["width"]
