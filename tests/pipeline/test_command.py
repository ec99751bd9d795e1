"""The installed command, the real network, files on disk: as a user runs it."""

import json
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from rma_mamba.datasets.phantom import Phantom, make_phantom
from rma_mamba.metrics import dice
from rma_mamba.scans import write_scan


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "rma_mamba", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return make_phantom(0, contrast="mr_t2", shape=(128, 128, 18), spacing_mm=(2.8, 2.8, 12.0))


@pytest.fixture(scope="module")
def scan(phantom: Phantom, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("in") / "scan.nii.gz"
    write_scan(phantom.volume, path)
    return path


def test_the_command_finds_the_phantoms_liver_within_a_tenth(
    phantom: Phantom, scan: Path, tmp_path: Path
) -> None:
    done = run("segment", "-i", scan, "-o", tmp_path / "liver.nii.gz", "-p", "-s")
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    mask = nib.load(tmp_path / "liver.nii.gz")
    labels = np.asarray(mask.dataobj)
    assert labels.dtype == np.uint8
    assert np.array_equal(mask.affine, nib.load(scan).affine)
    assert dice(labels, phantom.mask.labels) > 0.85
    statistics = json.loads((tmp_path / "liver_statistics.json").read_text())
    assert statistics["volume_ml"] == pytest.approx(phantom.mask.volume_ml, rel=0.1)
    assert (tmp_path / "liver_preview.png").stat().st_size > 1000


def hostile(kind: str, scan: Path, folder: Path) -> Path:
    path = folder / "in" / "scan.nii.gz"
    path.parent.mkdir()
    if kind == "truncated":
        path.write_bytes(scan.read_bytes()[:100_000])
    elif kind == "text":
        path = path.with_name("notes.txt")
        path.write_text("no scan")
    elif kind == "empty folder":
        path = path.parent
    return path


@pytest.mark.parametrize("kind", ["truncated", "text", "empty folder", "missing"])
def test_an_input_that_is_not_a_scan_gives_one_line_and_no_file(
    kind: str, scan: Path, tmp_path: Path
) -> None:
    done = run("segment", "-i", hostile(kind, scan, tmp_path), "-o", tmp_path / "out" / "m.nii.gz")
    assert done.returncode in (2, 4)
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stderr.startswith("rma-mamba: error: ")
    assert not (tmp_path / "out").exists()
