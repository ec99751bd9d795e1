"""Old names of options and settings work for one release, with one line of warning."""

import subprocess
import sys

import nibabel as nib
import numpy as np
import pytest

from rma_mamba.cli.deprecations import renamed_option
from rma_mamba.pipeline.request import SegmentRequest


def test_the_deprecated_option_frame_selects_a_volume(command, segmenter, tmp_path) -> None:
    values = np.zeros((4, 4, 4, 2), np.int16)
    values[..., 1] = 900
    nib.save(nib.Nifti1Image(values, np.eye(4)), tmp_path / "scan.nii")
    arguments = ("segment", "-i", tmp_path / "scan.nii", "-o", tmp_path / "out.nii", "-q")
    done = command(*arguments, "--frame", "2")
    assert done.code == 0
    assert done.err.splitlines()[0] == (
        "rma-mamba: warning: --frame is deprecated and will be removed in 0.3.0; use --volume."
    )
    assert np.asarray(nib.load(tmp_path / "out.nii").dataobj).any()
    assert "deprecated" not in command(*arguments, "--volume", "2").err


def test_an_option_and_its_old_name_together_are_an_error(command) -> None:
    both = {
        "--frame": ("segment", "-i", "a", "-o", "b", "--frame", "1", "--volume", "2"),
        "--side": ("evaluate", "default", "--side", "val", "--split", "test"),
    }
    for old, arguments in both.items():
        done = command(*arguments)
        assert done.code == 2
        assert done.err.count("\n") == 1
        assert f"its old name {old} are set" in done.err


def test_the_old_module_prints_one_warning() -> None:
    command = [sys.executable, "-m", "rma_mamba.cli", "--version"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        "rma-mamba: warning: python -m rma_mamba.cli is deprecated and will be removed in 0.3.0; "
        "use python -m rma_mamba."
    ]


def test_an_option_that_is_not_used_does_not_warn() -> None:
    assert renamed_option("--old", None, "--new", "a") == "a"
    with pytest.warns(DeprecationWarning, match="--old is deprecated.*use --new"):
        assert renamed_option("--old", "b", "--new", None) == "b"


def test_statistics_and_run_records_keep_their_old_fields(segmenter) -> None:
    assert SegmentRequest().settings()["frame"] is None
