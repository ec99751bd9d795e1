"""The image is small, runs as nobody in particular, and is built from named versions."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONTAINERFILE = ROOT / "Containerfile"


def instructions(text: str) -> list[tuple[str, str]]:
    """Instructions and their arguments, with continued lines joined."""
    lines = re.sub(r"\\\n\s*", " ", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE)).splitlines()
    return [(line.split()[0], line.partition(" ")[2].strip()) for line in lines if line.strip()]


def lint(path: Path) -> subprocess.CompletedProcess[str]:
    program = shutil.which("hadolint")
    if program is None:
        pytest.skip("hadolint is not installed")
    return subprocess.run([program, str(path)], capture_output=True, text=True, check=False)


def test_the_linter_finds_nothing() -> None:
    done = lint(CONTAINERFILE)
    assert done.returncode == 0, done.stdout


def test_the_linter_detects_errors(tmp_path: Path) -> None:
    bad = tmp_path / "Containerfile"
    bad.write_text("FROM python:latest\nRUN cd /tmp && sudo apt-get install x\n")
    assert lint(bad).returncode != 0


def test_the_base_image_has_a_fixed_version_and_the_last_stage_builds_nothing() -> None:
    parts = instructions(CONTAINERFILE.read_text())
    stages = [argument for name, argument in parts if name == "FROM"]
    assert all(
        re.match(r"docker\.io/library/python:3\.\d+-slim-bookworm( AS \w+)?$", s) for s in stages
    )
    assert len(stages) == 2
    last = parts[[name for name, _ in parts].index("FROM", 1) :]
    assert [argument.split()[0] for name, argument in last if name == "COPY"] == ["--from=build"]


def test_the_container_runs_as_a_numeric_user_and_has_a_health_check() -> None:
    parts = dict(instructions(CONTAINERFILE.read_text()))
    user, _, group = parts["USER"].partition(":")
    assert int(user) > 0
    assert int(group) > 0
    assert "rma-mamba" in parts["HEALTHCHECK"]
    assert "ADD" not in parts
    assert "org.opencontainers.image.licenses" in parts["LABEL"]


def test_every_copied_file_exists_and_is_in_the_build_context() -> None:
    sent = (ROOT / ".containerignore").read_text().splitlines()
    for name, argument in instructions(CONTAINERFILE.read_text()):
        if name == "COPY" and not argument.startswith("--from"):
            for source in argument.split()[:-1]:
                assert (ROOT / source).exists()
                assert f"!{source}" in sent
