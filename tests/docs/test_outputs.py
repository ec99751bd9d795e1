"""The commands and the code of the pages on outputs, measurements, quality and cohorts run as they are printed."""

import re
import shlex
from importlib.resources import files
from pathlib import Path

import numpy as np
import pydicom
import pytest

from clinical_series import clinical_series
from dicom_series import save
from news import IGNORED
from rma_mamba.cli.run import run
from rma_mamba.scans import read_scan, write_mask, write_scan
from rma_mamba.volume import Mask

DOCS = Path(__file__).parents[2] / "docs"

pytestmark = [
    *IGNORED,
    pytest.mark.skipif(
        not any(files("rma_mamba").glob("weights/*.safetensors")),  # type: ignore[attr-defined]
        reason="no trained weights are embedded yet",
    ),
]


def blocks(page: str, language: str) -> list[str]:
    """The code blocks of a page in one language."""
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text(), flags=re.DOTALL)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with what the pages' examples start from: series/, scan.nii.gz, liver.nii.gz."""
    volume = read_scan(save(tmp_path / "series", clinical_series()))
    write_scan(volume, tmp_path / "scan.nii.gz")
    labels = np.zeros(volume.geometry.shape, np.uint8)
    labels[5:15, 5:20, 2:9] = 1
    write_mask(Mask(labels, volume.geometry), tmp_path / "liver.nii.gz")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", ["reference/outputs.md", "reference/measurements.md"])
def test_the_commands_run(here: Path, page: str) -> None:
    lines = "\n".join(blocks(page, "bash")).splitlines()
    assert lines
    for line in lines:
        program, *arguments = shlex.split(line, comments=True)
        assert program == "rma-mamba"
        assert run(arguments) == 0, line
    made = (
        ("out/series/liver_seg.dcm",)
        if page == "reference/outputs.md"
        else ("liver.json", "liver.csv")
    )
    assert all((here / name).exists() for name in made)


def test_the_code_that_writes_runs(here: Path) -> None:
    (code,) = blocks("reference/outputs.md", "python")
    exec(compile(code, "reference/outputs.md", "exec"), {})
    for name, modality in (("seg", "SEG"), ("rtstruct", "RTSTRUCT"), ("sr", "SR")):
        assert pydicom.dcmread(here / f"liver_{name}.dcm").Modality == modality
    assert (here / "liver.stl").exists()


def test_the_code_that_measures_runs(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = blocks("reference/measurements.md", "python")
    exec(compile(code, "reference/measurements.md", "exec"), {})
    volume_ml, ratio = map(float, capsys.readouterr().out.split())
    assert volume_ml >= 0
    assert ratio == pytest.approx(volume_ml / 1704.7, abs=1e-4)


def test_the_code_that_judges_runs(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = blocks("explanation/quality.md", "python")
    exec(compile(code, "explanation/quality.md", "exec"), found := {})
    assert capsys.readouterr().out.split()[0] in ("green", "yellow", "red")
    assert found["bits"].shape == read_scan(here / "scan.nii.gz").geometry.shape


def test_the_commands_for_many_scans_run(here: Path) -> None:
    (here / "scans").mkdir()
    (here / "scan.nii.gz").rename(here / "scans" / "one.nii.gz")
    lines = [
        line
        for line in "\n".join(blocks("how-to/many-scans.md", "bash")).splitlines()
        if line and "ray" not in line
    ]
    assert len(lines) == 4
    for line in lines:
        expected = (0, 8) if "--fail-on" in line else (0,)
        assert run(shlex.split(line, comments=True)[1:]) in expected, line
    assert (here / "results" / "one" / "run.json").exists()
    assert (here / "results" / "measurements.csv").read_text().startswith("case,volume_ml,")
