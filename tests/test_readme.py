"""The code in README.md and examples/ does what it says."""

import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from known_maps import maps_computed_once
from rma_mamba.datasets.phantom import make_phantom
from rma_mamba.scans import write_scan

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
SEED = 0

needs_weights = pytest.mark.skipif(
    not any(files("rma_mamba").glob("weights/*.safetensors")),  # type: ignore[attr-defined]
    reason="no trained weights are embedded yet",
)


def blocks(language: str) -> list[str]:
    """The code blocks of the README in one language."""
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one synthetic scan, scan.nii.gz."""
    folder = tmp_path_factory.mktemp("scans")
    phantom = make_phantom(
        SEED, contrast="mr_t2", shape=(128, 128, 12), spacing_mm=(2.8, 2.8, 18.0)
    )
    write_scan(phantom.volume, folder / "scan.nii.gz")
    return folder


@pytest.fixture(scope="module", autouse=True)
def one_network() -> Iterator[None]:
    with maps_computed_once():
        yield


def test_the_readme_has_one_example_of_six_lines() -> None:
    (code,) = blocks("python")
    assert sum(bool(line) for line in code.splitlines()) <= 6


@needs_weights
def test_the_readmes_python_runs(scans: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(scans)
    exec(compile(blocks("python")[0], "README.md", "exec"), {})
    assert float(capsys.readouterr().out.split(" mL")[0]) > 500
    assert (scans / "liver.nii.gz").exists()
    (scans / "liver.nii.gz").unlink()


def test_the_readmes_commands_exist_with_their_options() -> None:
    lines = [line.split("#")[0].split() for line in "\n".join(blocks("bash")).splitlines()]
    commands = [line for line in lines if line and line[0].endswith("rma-mamba")]
    targets = (ROOT / "Makefile").read_text()
    assert commands
    for _, name, *arguments in commands:
        done = subprocess.run(
            [sys.executable, "-m", "rma_mamba", name, "--help"], capture_output=True, text=True
        )
        assert done.returncode == 0
        for option in (word for word in arguments if word.startswith("-")):
            assert re.search(rf"{option}\b", done.stdout), f"{name} {option}"
    for target in (line[1] for line in lines if line and line[0] == "make"):
        assert re.search(rf"^(.* )?{target}( .*)?:", targets, flags=re.MULTILINE), target


def test_the_readmes_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target


@needs_weights
def test_the_example_segments_a_folder(
    scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    example = ROOT / "examples" / "segment_many.py"
    monkeypatch.setattr(sys, "argv", [str(example), str(scans), str(tmp_path)])
    runpy.run_path(str(example), run_name="__main__")
    header, row = (tmp_path / "volumes.csv").read_text().splitlines()
    assert header == "scan,volume_ml,warnings"
    assert row.startswith("scan.nii.gz,")
    assert (tmp_path / "scan.nii.gz").exists()
