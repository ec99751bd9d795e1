import csv
from pathlib import Path

import pytest

from folders import folder_config, write_folder
from rma_mamba.datasets.config import DataConfig
from rma_mamba.training.config import Recipe


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataConfig:
    """A small folder of data in place of the bundled recipe's."""
    config = folder_config(write_folder(tmp_path))
    monkeypatch.setattr("rma_mamba.training.load_recipe", lambda *_: Recipe(data=config))
    return config


@pytest.mark.parametrize(
    ("option", "split", "patients"),
    [
        *(("--split", "val", ["2", "4"]), ("--split", "test", ["11"])),
        *(("--side", "valid", ["2", "4"]), ("--side", "test", ["11"])),
    ],
)
def test_every_patient_of_a_split_gets_a_row(command, tiny, data, option, split, patients) -> None:
    done = command("evaluate", "default", "--model", tiny, option, split)
    assert done.code == 0, done.err
    rows = [line.split("|") for line in done.out.split("\n\n")[0].splitlines()[2:]]
    assert [row[2].strip() for row in rows] == patients
    assert done.err.count("Dice") == len(patients)
    assert ("--side is deprecated" in done.err) == (option == "--side")


def test_every_score_is_summarised_and_written(command, tiny, data, tmp_path) -> None:
    out = tmp_path / "out"
    done = command("evaluate", "default", "--model", tiny, "--split", "val", "-o", out, "-q")
    assert done.code == 0, done.err
    assert "**tiny, volumes: per volume, on the scan's own grid**" in done.out
    assert (
        "**tiny, slices: paper_per_slice, liver-containing slices only, at 256 x 256**" in done.out
    )
    assert "**tiny, slices: per volume" not in done.out
    with (out / "per_case.csv").open() as file:
        (case,) = csv.DictReader(file)
    assert (case["source"], case["patient"], case["case"]) == ("volumes", "2", "case_02")
    with (out / "per_slice.csv").open() as file:
        slices = list(csv.DictReader(file))
    assert [row["case"] for row in slices] == ["case_02"] * 5 + ["p004_z0", "p004_z1"]
    first_table = done.out.split("\n\n")[0]
    assert f"| volumes | 2 | {float(case['dice']):.3f} | 1 |" in first_table


def test_the_bundled_network_is_not_mistaken_for_a_trained_one(
    command, data, tmp_path, monkeypatch
) -> None:
    recipe = Recipe(data=data.model_copy(update={"splits": {}}), run={"folder": str(tmp_path)})
    monkeypatch.setattr("rma_mamba.training.load_recipe", lambda *_: recipe)
    assert "the bundled network" not in command("evaluate", "mine.toml").err
    (tmp_path / "weights.safetensors").write_bytes(b"")
    done = command("evaluate", "mine.toml")
    assert "the bundled network is scored, not the one that was trained" in done.err
    assert f"add -m {tmp_path / 'weights.safetensors'}" in done.err


def test_a_missing_folder_is_a_one_line_error(command, tiny) -> None:
    done = command("evaluate", "default", "--model", tiny, "--set", "data.root=nowhere")
    assert done.code == 2
    assert done.err.startswith("rma-mamba: error: source MR T2: found no")
    assert done.out == ""


def test_a_split_without_patients_is_an_error_before_anything_is_printed(
    command, tiny, data
) -> None:
    changes = {"sources": data.sources[:1], "splits": {"a": data.splits["a"]}}
    nobody = data.model_copy(update=changes)  # no test patients
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rma_mamba.training.load_recipe", lambda *_: Recipe(data=nobody))
        done = command("evaluate", "default", "--model", tiny, "--split", "test")
    assert (done.code, done.out) == (2, "")
    assert "the test split has no patients" in done.err
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("option", "named"), [((), "standard"), (("--postprocessing", "none"), "none (raw threshold")]
)
def test_post_processing_is_a_setting_and_printed_in_every_table(
    command, tiny, data, option, named
) -> None:
    done = command("evaluate", "default", "--model", tiny, "--split", "val", *option)
    assert done.code == 0, done.err
    patients, *tables = done.out.split("\n**")
    assert f"Post-processing: {named}" in patients
    for each in tables:
        paper = "paper_per_slice" in each.splitlines()[0]
        assert (
            "Post-processing: none (raw threshold" if paper else f"Post-processing: {named}"
        ) in each
