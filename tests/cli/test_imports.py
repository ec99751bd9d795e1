"""Each command loads only the libraries that its task needs."""

import json
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


def loaded_in_turn(*commands: list[str]) -> list[set[str]]:
    """The libraries in memory of one new process after each of these commands, all of which succeed."""
    script = (
        "import json, sys\n"
        "from rma_mamba.cli.run import run\n"
        "for arguments in json.loads(sys.argv[1]):\n"
        "    code = run(arguments)\n"
        f"    found = [name for name in {LIBRARIES!r} if name in sys.modules]\n"
        "    print('loaded', code, *found, file=sys.stderr)\n"
    )
    command = [sys.executable, "-c", script, json.dumps(commands)]
    done = subprocess.run(command, capture_output=True, text=True)
    ends = [line.split()[1:] for line in done.stderr.splitlines() if line.startswith("loaded ")]
    assert [code for code, *_ in ends] == ["0"] * len(commands), done.stderr
    return [set(names) for _, *names in ends]


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    labels = np.zeros((24, 20, 8), np.uint8)
    labels[8:16, 6:11, 2:6] = 1
    path = tmp_path / "mask.nii.gz"
    write_mask(Mask(labels, Geometry(labels.shape, np.diag([2.0, 2.0, 5.0, 1.0]))), path)
    return path


def test_each_command_loads_what_its_task_needs(
    scan: Path, mask: Path, tiny: Path, tmp_path: Path
) -> None:
    """In one process, those that need the least first: what one loads stays loaded."""
    study = save(tmp_path / "study", series())
    segment = ["segment", "-i", scan, "-o", tmp_path / "out.nii.gz", "-m", tiny, "-d", "cpu"]
    commands = {
        "info": ["info"],
        "series": ["series", study],
        "measure": ["measure", mask, "--scan", scan],
        "score": ["score", mask, mask],
        "segment": [*segment, "-p", "-s", "-ot", "nifti,json,stl"],
        "report": [*segment, "--report"],
    }
    found = loaded_in_turn(*([str(word) for word in command] for command in commands.values()))
    loaded = dict(zip(commands, found, strict=True))
    assert {name for name in commands if not loaded[name]} >= {"info", "series", "measure", "score"}
    assert loaded["segment"] <= FOR_NETWORKS
    assert "matplotlib" in loaded["report"]  # so all of the above can fail
    assert loaded["report"] <= {*FOR_NETWORKS, "matplotlib"}
