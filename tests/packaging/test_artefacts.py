"""The wheel and the sdist hold what users need, and the wheel works where the repository is not."""

import subprocess
import tarfile
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]

NOT_IN_THE_SDIST = (".ci/", ".github/", ".gitattributes")

DRAW_PHANTOM = """
import rma_mamba
from rma_mamba.datasets.phantom import make_phantom
phantom = make_phantom(3, shape=(96, 96, 12), spacing_mm=(3.8, 3.8, 16.0))
rma_mamba.write_scan(phantom.volume, "scan.nii.gz")
rma_mamba.write_mask(phantom.mask, "truth.nii.gz")
"""

PRINT_DICE = """
import nibabel
mask, truth = (nibabel.load(f).get_fdata() > 0 for f in ("out/scan/liver.nii.gz", "truth.nii.gz"))
print(2 * (mask & truth).sum() / (mask.sum() + truth.sum()))
"""


def wheel_names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def sdist_names(sdist: Path) -> set[str]:
    with tarfile.open(sdist) as archive:
        return {name.partition("/")[2] for name in archive.getnames()}


def tracked_files() -> set[str]:
    command = ["git", "-C", str(ROOT), "ls-files"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this is not a clone, or git is not installed")
    return {name for name in done.stdout.splitlines() if (ROOT / name).exists()}


@pytest.mark.parametrize(
    "name",
    [
        "py.typed",
        "weights/default.safetensors",
        "weights/orientation.safetensors",
        "weights/README.md",
        "inference/dice_calibration.json",
        "reporting/templates/report.html",
        "reporting/templates/report.css",
        "reporting/templates/report.js",
        "training/recipes/default.toml",
        "experiments/benchmarks/ablation.toml",
        "server/static/index.html",
        "server/static/niivue/niivue.umd.js",
        "server/static/niivue/LICENSE.txt",
    ],
)
def test_the_wheel_contains(artefacts, name: str) -> None:
    assert f"rma_mamba/{name}" in wheel_names(artefacts.wheel)


def test_the_wheel_built_from_the_sdist_contains_the_package_and_nothing_else(artefacts) -> None:
    tracked = {
        name.removeprefix("src/") for name in tracked_files() if name.startswith("src/rma_mamba/")
    }
    info = f"rma_mamba-{VERSION}.dist-info/"
    packed = {name for name in wheel_names(artefacts.wheel) if not name.startswith(info)}
    assert packed == tracked


def test_the_sdist_contains_every_file_of_the_repository(artefacts) -> None:
    expected = {name for name in tracked_files() if not name.startswith(NOT_IN_THE_SDIST)}
    assert not expected - sdist_names(artefacts.sdist)


def test_file_names_and_metadata_state_the_version_and_the_extras(artefacts) -> None:
    assert artefacts.wheel.name == f"rma_mamba-{VERSION}-py3-none-any.whl"
    assert artefacts.sdist.name == f"rma_mamba-{VERSION}.tar.gz"
    with zipfile.ZipFile(artefacts.wheel) as archive:
        metadata = archive.read(f"rma_mamba-{VERSION}.dist-info/METADATA").decode()
    for extra in ("train", "ray", "mlflow", "wandb", "dev"):
        assert f"Provides-Extra: {extra}\n" in metadata


def test_the_installed_wheel_is_the_package_that_runs(
    installed, python: Callable[[str], str]
) -> None:
    where = python("import rma_mamba; print(rma_mamba.__file__)").strip()
    assert Path(where).is_relative_to(installed.site_packages)


@pytest.mark.parametrize(
    "command", [("rma-mamba", "--version"), ("python", "-m", "rma_mamba", "--version")]
)
def test_both_commands_print_the_wheels_version(installed, tmp_path: Path, command) -> None:
    done = installed.run(command, tmp_path)
    assert (done.returncode, done.stdout) == (0, f"rma-mamba {VERSION}\n")


def test_the_installed_wheel_finds_its_weights(installed, tmp_path: Path) -> None:
    done = installed.run(["rma-mamba", "info"], tmp_path)
    assert done.returncode == 0
    assert "default.safetensors" in done.stdout


@pytest.mark.slow
def test_the_installed_wheel_segments_a_phantom_and_reports(
    installed, python: Callable[[str], str], tmp_path: Path
) -> None:
    python(DRAW_PHANTOM)
    command = ["rma-mamba", "segment", "-i", "scan.nii.gz", "-o", "out", "--fast", "--report"]
    done = installed.run(command, tmp_path, RMA_MAMBA_BACKEND="reference")
    assert done.returncode == 0, done.stderr
    assert {"liver.nii.gz", "report.html"} <= {file.name for file in (tmp_path / "out").rglob("*")}
    assert float(python(PRINT_DICE)) > 0.8
