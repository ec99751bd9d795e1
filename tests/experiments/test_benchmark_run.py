"""A benchmark trains, scores and compares networks, and does not repeat completed steps."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from rma_mamba.cli.app import app
from rma_mamba.errors import ConfigError
from rma_mamba.experiments import load_benchmark, run_benchmark

FILES = ("table.md", "table.tex", "table.csv", "boxes.png", "curves.png", "panel.png")


def test_networks_are_trained_scored_and_compared_once(benchmark_file: Path) -> None:
    benchmark, folder = load_benchmark(benchmark_file), benchmark_file.parent / "out"
    notes: list[str] = []
    first = run_benchmark(benchmark, only=["U-Net"], quiet=True, note=notes.append)
    assert "| U-Net |" in first
    assert "Ours" not in first
    kept = (folder / "u-net" / "weights.safetensors").stat().st_mtime_ns

    text = run_benchmark(benchmark, quiet=True, note=notes.append)
    assert "| Ours & more (2025) |" in text
    assert "Settings of individual networks: U-Net: training.lr=1e-3." in text
    assert "All networks were initialised randomly." in text
    for name in FILES:
        assert (folder / name).stat().st_size > 100
    assert notes.count("U-Net: training") == 1
    assert "U-Net: already trained" in notes
    assert (folder / "u-net" / "weights.safetensors").stat().st_mtime_ns == kept
    scored = [note for note in notes if note.startswith("U-Net: ") and "Dice" in note]
    assert len(scored) == len(set(scored))

    with pytest.raises(ConfigError, match="contains a training run with another recipe"):
        run_benchmark(benchmark, ["training.epochs=2"], quiet=True)

    notes.clear()
    text = run_benchmark(benchmark.with_runs(2), only=["U-Net"], quiet=True, note=notes.append)
    assert [note for note in notes if note.endswith("ing")] == ["U-Net, seed 43: training"]
    assert (folder / "u-net" / "weights.safetensors").stat().st_mtime_ns == kept
    assert (folder / "u-net" / "seed-43" / "weights.safetensors").exists()
    assert "seeds 42, 43 (U-Net); 1 run (Ours & more), 2 runs (U-Net) per network." in text
    rows = (folder / "scores" / "per_slice.csv").read_text().splitlines()
    assert rows[0].split(",")[5] == "run"
    assert {tuple(row.split(",")[0:6:5]) for row in rows[1:]} == {
        *(("Ours & more", "42"), ("U-Net", "42"), ("U-Net", "43")),
    }


def test_the_others_go_on_if_the_loss_of_a_network_is_not_finite(benchmark_file: Path) -> None:
    text = benchmark_file.read_text().replace("training.lr=1e-3", "training.lr=1e30")
    benchmark_file.write_text(text)
    started = load_benchmark(benchmark_file)
    benchmark = started.model_copy(update={"networks": started.networks[::-1]})
    failures: list[str] = []
    with pytest.raises(ConfigError, match="no network of the benchmark was trained \\(U-Net: the "):
        run_benchmark(benchmark, only=["U-Net"], quiet=True, on_failure=failures.append)
    arguments = ["benchmark", str(benchmark_file), "--quiet"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 3
    (sentence,) = failures
    assert f"rma-mamba: error: {sentence}" in done.stderr
    assert sentence.startswith("U-Net was not trained: the ")
    lines = [line.split("|") for line in done.stdout.splitlines() if line.startswith("| ")]
    assert [line[1].strip() for line in lines[1:3]] == ["Ours & more (2025)", "U-Net, not trained"]
    assert set(lines[2][2:-1]) == {" - "}
    assert done.stdout.count("U-Net was not trained, is in no comparison and ranks last: the ") == 2
    assert (benchmark_file.parent / "out" / "panel.png").exists()


def test_a_folder_for_all_networks_is_refused(benchmark_file: Path) -> None:
    with pytest.raises(ConfigError, match="Choose the folder of the benchmark with --output"):
        run_benchmark(load_benchmark(benchmark_file), ["run.folder=here"], quiet=True)


def test_invalid_networks_are_rejected_before_the_first_training_run(benchmark_file: Path) -> None:
    benchmark, folder = load_benchmark(benchmark_file), benchmark_file.parent
    with pytest.raises(
        ConfigError, match="no network 'V-Net'; expected one or more of Ours & more, U-Net"
    ):
        run_benchmark(benchmark, only=["V-Net"], quiet=True)
    row = benchmark.networks[1].model_copy(update={"weights": "start.pth"})
    started = benchmark.model_copy(update={"networks": (benchmark.networks[0], row)})
    with pytest.raises(
        ConfigError, match=r"does not contain start\.pth, the initial weights of U-Net"
    ):
        run_benchmark(started, weights=folder, quiet=True)
    wrong = row.model_copy(update={"settings": {"widht": 4}})
    with pytest.raises(ConfigError, match="widht"):
        run_benchmark(benchmark.model_copy(update={"networks": (wrong,)}), quiet=True)
    assert not (folder / "out").exists()


def test_errors_of_the_test_split_are_warnings_even_if_notes_are_hidden(
    benchmark_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(*_: object) -> None:
        raise InterruptedError

    monkeypatch.setattr("rma_mamba.experiments.network_run.NetworkRun.train", nothing)
    folder = benchmark_file.parent
    for name in ("images", "masks"):  # a copy of another patient's slices
        for number in range(2):
            path = folder / "data" / "slices" / name
            (path / f"p012_z{number}.png").write_bytes((path / f"p011_z{number}.png").read_bytes())
    warned: list[str] = []
    with pytest.raises(InterruptedError):
        run_benchmark(
            load_benchmark(benchmark_file),
            ["data.splits.b.test=['11', '12']"],
            quiet=True,
            warn=warned.extend,
            lenient=True,
        )
    assert len(warned) == 1
    assert (folder / "out" / "data_checks.json").exists()
