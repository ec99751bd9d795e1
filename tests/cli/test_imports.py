"""Each command loads only the libraries that its task needs."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dicom_series import save, series
from rma_mamba.scans import write_mask
from rma_mamba.volume import Geometry, Mask

LIBRARIES = ("torch", "numba", "monai", "lightning", "ray", "tensorboard", "matplotlib")
FOR_NETWORKS = {"torch", "numba"}


def loaded_by(*arguments: str | Path) -> set[str]:
    """The libraries in memory after a command that succeeded."""
    script = (
        "import sys\n"
        "from rma_mamba.cli.run import run\n"
        "code = run(sys.argv[1:])\n"
        f"print(code, *(n for n in {LIBRARIES!r} if n in sys.modules), file=sys.stderr)\n"
    )
    command = [sys.executable, "-c", script, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    code, *names = done.stderr.splitlines()[-1].split()
    assert code == "0", done.stderr
    return set(names)


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    labels = np.zeros((24, 20, 8), np.uint8)
    labels[8:16, 6:11, 2:6] = 1
    path = tmp_path / "mask.nii.gz"
    write_mask(Mask(labels, Geometry(labels.shape, np.diag([2.0, 2.0, 5.0, 1.0]))), path)
    return path


def test_segment_loads_torch_and_no_other_framework(scan: Path, tiny: Path, tmp_path: Path) -> None:
    arguments = ("segment", "-i", scan, "-o", tmp_path / "out.nii.gz", "-m", tiny, "-d", "cpu")
    assert loaded_by(*arguments, "-p", "-s", "-ot", "nifti,json,stl") <= FOR_NETWORKS


def test_a_report_adds_matplotlib(scan: Path, tiny: Path, tmp_path: Path) -> None:
    arguments = ("segment", "-i", scan, "-o", tmp_path / "out.nii.gz", "-m", tiny, "-d", "cpu")
    found = loaded_by(*arguments, "--report")
    assert "matplotlib" in found  # so the test above can fail
    assert found <= {*FOR_NETWORKS, "matplotlib"}


def test_measure_loads_no_framework(scan: Path, mask: Path) -> None:
    assert loaded_by("measure", mask, "--scan", scan) == set()


def test_score_loads_no_framework(mask: Path) -> None:
    assert loaded_by("score", mask, mask) == set()


def test_series_loads_no_framework(tmp_path: Path) -> None:
    assert loaded_by("series", save(tmp_path / "study", series())) == set()


def test_info_loads_no_framework() -> None:
    assert loaded_by("info") == set()
