"""A cohort over Ray: a worker that is killed loses nothing. Skipped where Ray is not installed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rma_mamba.datasets.phantom import make_phantom
from rma_mamba.scans import write_scan

CASES = 4


def test_without_ray_the_error_names_the_extra(
    command, segmenter, scan, monkeypatch, tmp_path
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    done = command("segment", "-i", scan.parent, "-o", tmp_path / "out", "--engine", "ray")
    assert done.code == 7
    assert "pip install '.[ray]' from a clone" in done.err
    assert done.err.count("\n") == 1


def workers() -> list[int]:
    """Ids of the worker processes, found by the name that Ray gives them."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and b"ray::Worker" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


@pytest.fixture
def command_over_ray(tiny: Path, tmp_path: Path) -> list[str]:
    """Four scans and a bad one over two or more workers."""
    pytest.importorskip("ray", reason="ray is not installed")
    cohort, out = tmp_path / "cohort", tmp_path / "out"
    volume = make_phantom(0, contrast="mr_t2").volume
    for number in range(CASES):
        write_scan(volume, cohort / f"case_{number}.nii.gz")
    (cohort / "bad.nii.gz").write_bytes(b"no scan")
    arguments = ["segment", "-i", cohort, "-o", out, "-m", tiny, "-d", "cpu", "--engine", "ray"]
    return [sys.executable, "-m", "rma_mamba", *map(str, arguments)]


def begun(command: list[str], out: Path) -> subprocess.Popen[str]:
    """The command, once its first case is done."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    while process.poll() is None and not list(out.glob("*/run.json")):
        time.sleep(0.05)
    return process


@pytest.mark.slow
def test_the_case_of_a_killed_worker_is_run_again(
    command_over_ray: list[str], tmp_path: Path
) -> None:
    out, others = tmp_path / "out", set(workers())
    with begun(command_over_ray, out) as process:
        ours = sorted(set(workers()) - others)
        assert ours, process.stderr and process.stderr.read()
        os.kill(ours[0], signal.SIGKILL)
        said = process.communicate()[1]
    assert process.returncode == 3, said
    failures = [json.loads(line) for line in (out / "errors.jsonl").read_text().splitlines()]
    assert [failure["case"] for failure in failures] == ["bad"]
    assert len(list(out.glob("*/liver.nii.gz"))) == CASES
    assert not list(out.rglob(".rma-mamba-*"))


@pytest.mark.slow
def test_sigterm_prints_one_line(command_over_ray: list[str], tmp_path: Path) -> None:
    with begun([*command_over_ray, "--quiet"], tmp_path / "out") as process:
        process.terminate()
        said = process.communicate()[1]
    assert process.returncode == 143, said
    assert (
        said.splitlines()[-1] == "rma-mamba: terminated; no partially written file was left behind."
    )
    assert "***" not in said
    assert not list(tmp_path.rglob(".rma-mamba-*"))
