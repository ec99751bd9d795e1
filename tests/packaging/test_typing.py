"""The wheel carries its types: a type checker reads a user's script against the installed package."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
from pathlib import Path
import rma_mamba

def liver_volumes_ml(folder: Path) -> list[float]:
    segmenter = rma_mamba.Segmenter.load(device="cpu")
    found = []
    for path in sorted(folder.glob("*.nii.gz")):
        result = segmenter(path)
        rma_mamba.write_mask(result.mask, path.with_name("liver.nii.gz"))
        found.append(rma_mamba.measure(result.mask).volume_ml)
    return found

reveal_type(rma_mamba.segment("scan.nii.gz").mask)
"""
WRONG = "\nrma_mamba.measure('liver.nii.gz')\nrma_mamba.no_such_name\n"


@pytest.mark.slow
def test_a_user_script_type_checks_against_the_installed_wheel(installed, tmp_path: Path) -> None:
    (tmp_path / "consumer.py").write_text(SCRIPT + WRONG)
    options = ["--strict", "--config-file=", f"--python-executable={installed.python}"]
    command = [sys.executable, "-m", "mypy", *options, "--cache-dir=cache", "consumer.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    # Both mistakes are found, so the types were there; nothing else is.
    lines = done.stdout.splitlines()
    assert any('Revealed type is "rma_mamba.volume.Mask"' in line for line in lines)
    errors = [line for line in lines if " error: " in line]
    assert len(errors) == 2, done.stdout
    assert "[arg-type]" in errors[0]
    assert "[attr-defined]" in errors[1]
