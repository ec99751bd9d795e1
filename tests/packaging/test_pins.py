"""The pinned versions are compatible with either build of torch; incompatible pins are found."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONSTRAINTS = ROOT / "constraints.txt"


def check(constraints: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, ROOT / "scripts/check_pins.py", "--constraints", constraints]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def changed_pins(tmp_path: Path, pattern: str, replacement: str) -> Path:
    text, count = re.subn(pattern, replacement, CONSTRAINTS.read_text(), flags=re.MULTILINE)
    assert count == 1
    path = tmp_path / "constraints.txt"
    path.write_text(text)
    return path


def test_the_pins_are_compatible() -> None:
    done = check(CONSTRAINTS)
    assert done.returncode == 0, done.stdout
    assert int(done.stdout.split()[0]) > 150  # requirements compared


def test_a_triton_that_the_public_torch_refuses_is_found(tmp_path: Path) -> None:
    done = check(changed_pins(tmp_path, r"^triton==.*$", "triton==3.9.0"))
    assert done.returncode == 1
    assert "torch requires triton==3.7.1" in done.stdout
    assert "pinned is triton==3.9.0" in done.stdout


@pytest.mark.parametrize(
    ("pattern", "replacement", "problem"),
    [
        (r"^numpy==.*$", "numpy==1.26.4", "rma-mamba requires numpy>=2.0; pinned is numpy==1.26.4"),
        (r"^MarkupSafe==.*\n", "", "MarkupSafe>=2.0, which is not pinned"),
        (r"^idna==", "left-pad==1.0\nidna==", "left-pad is pinned, and nothing requires it"),
        (r"^torch==.*$", "torch==2.13.1", "scripts/torch-2.13.1-requires.txt is missing"),
    ],
)
def test_other_incompatible_pins_are_found(
    tmp_path: Path, pattern: str, replacement: str, problem: str
) -> None:
    done = check(changed_pins(tmp_path, pattern, replacement))
    assert done.returncode == 1
    assert problem in done.stdout


def test_an_index_that_cannot_be_reached_is_skipped_with_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spec = importlib.util.spec_from_file_location("check_pins", ROOT / "scripts/check_pins.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["check_pins"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "INDEX", "https://127.0.0.1:9/simple")
    fine, line = module.resolve_from_index(CONSTRAINTS, [])
    assert fine
    assert line == "skipped: https://127.0.0.1:9/simple cannot be reached"
