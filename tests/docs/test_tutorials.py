"""The tutorials' commands run, in their order, on small data in the published form."""

import json
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from layouts import save_pair, write_cirrmri
from news import IGNORED
from rma_mamba.cli.run import run
from rma_mamba.experiments import benchmark_results
from rma_mamba.experiments.costs import measure_costs
from rma_mamba.pipeline.review.corrected_mask import grid_of, read_sent_mask
from rma_mamba.pipeline.review.mask_versions import MaskVersions
from rma_mamba.pipeline.review.review_decision import write_decision

TUTORIALS = Path(__file__).parents[2] / "docs" / "how-to"
# What makes a training of days one of a second; the commands are otherwise as they are printed.
SMALL = (
    "training.epochs=1",
    "training.limit_batches=1",
    "training.batch_size=2",
    "training.workers=0",
    "training.accelerator=cpu",
    "data.recipe.size=32",
    "data.crop=32",
)
TINY = (
    "model.settings.width=8",
    "model.settings.depths=[1, 1, 1, 1]",
    "model.settings.decoder_width=8",
)
FINE_TUNE = ("data.canvases=[32]", "data.recipe.tta_scales=[1.0]", "data.recipe.spacing_mm=3.0")
OF_RECIPE = {"fine-tune": FINE_TUNE, "paper-t": TINY, "ablation": TINY}
ONLY = {"cirrmri600_t2": ["UNeXt", "UltraLight VM-UNet"], "ablation": ["#1 T, N=0, RA"]}

pytestmark = IGNORED


def commands(tutorial: str) -> list[list[str]]:
    """The arguments of every `rma-mamba` in the tutorial's blocks."""
    text = (TUTORIALS / f"{tutorial}.md").read_text()
    lines = "\n".join(re.findall(r"```bash\n(.*?)```", text, flags=re.DOTALL)).splitlines()
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("rma-mamba ")]


def reduced(arguments: list[str]) -> list[str]:
    """The same on a small budget."""
    if arguments[0] in ("train", "evaluate", "benchmark") and arguments[1] != "default":
        settings = SMALL + OF_RECIPE.get(arguments[1], ())
        arguments = [*arguments, *(word for each in settings for word in ("--set", each))]
    if arguments[0] == "segment":
        arguments = [*arguments, "--fast"]
    if arguments[0] == "benchmark":
        names = ONLY[arguments[1]][: 1 if "--runs" in arguments else None]
        arguments += [word for name in names for word in ("--only", name)]
    return arguments


def follow(tutorial: str, serve: Callable[[], None] = lambda: None) -> None:
    for arguments in commands(tutorial):
        if arguments[0] == "serve":  # runs until it is interrupted
            serve()
            continue
        assert run(reduced(arguments)) == 0, " ".join(arguments)


def costs_of_a_small_image(models: Any, image_size: int, **options: Any) -> Any:
    return measure_costs(models, 32, rounds=1, **options)


def test_the_paper_is_reproduced_as_the_tutorial_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_cirrmri(tmp_path / "published")
    shutil.move(next(source.rglob("Cirrhosis_T2_3D")), tmp_path / "Cirrhosis_T2_3D")
    source.rename(tmp_path / "CirrMRI600")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(benchmark_results, "measure_costs", costs_of_a_small_image)
    follow("reproduce-the-paper")
    assert "paper_per_slice" in capsys.readouterr().out
    assert (tmp_path / "scores" / "per_case.csv").exists()
    for table in ("table1", "table3", "table1-2d"):
        assert (tmp_path / "runs" / table / "table.tex").exists()
        assert (tmp_path / "runs" / table / "panel.png").exists()
    assert (tmp_path / "runs" / "table1" / "scores" / "runs.csv").exists()


def test_own_scans_are_trained_on_as_the_tutorial_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1, 7):
        name = f"case_{number:02d}.nii.gz"
        scans = tmp_path / "my_scans"
        save_pair(scans / "images" / name, scans / "labels" / name, number)
    monkeypatch.chdir(tmp_path)
    follow("train-on-own-scans")
    assert (tmp_path / "before" / "per_case.csv").exists()
    assert (tmp_path / "after" / "per_case.csv").exists()
    assert (tmp_path / "liver.nii.gz").exists()


def test_corrections_are_learned_from_as_the_tutorial_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1, 4):
        save_pair(
            tmp_path / "scans" / f"case_{number}.nii.gz", tmp_path / f"{number}.nii.gz", number
        )

    def review() -> None:
        """Correct two cases to the true labels, and reject one."""
        for number, state in enumerate(("corrected", "corrected", "rejected"), 1):
            case = tmp_path / "results" / f"case_{number}"
            adopted = MaskVersions(case).adopt_result()
            assert adopted is not None
            if state == "corrected" and adopted.version == 1:
                truth = read_sent_mask(case, tmp_path / f"{number}.nii.gz", grid_of(case, case))
                MaskVersions(case).add(truth, parent=1, kind="semiautomatic", author="Jane")
            write_decision(case, state, reviewer="Jane")

    monkeypatch.chdir(tmp_path)
    follow("learn-from-corrections", review)
    versions = json.loads((tmp_path / "reviewed" / "versions.json").read_text())["cases"]
    assert [(name, each["kind"]) for name, each in versions.items()] == [
        (f"case_{number}", "semiautomatic") for number in (1, 2)
    ]
