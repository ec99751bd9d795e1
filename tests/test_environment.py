"""A bare environment gets a user name, a temporary folder and a backend of matplotlib; others stay as they are."""

import getpass
import os
import pwd
import tempfile
from pathlib import Path
from typing import NoReturn

import pytest

from rma_mamba import environment
from rma_mamba.environment import complete_environment

NAMES = ("LOGNAME", "USER", "LNAME", "USERNAME")


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test changes is undone."""
    for name in ("MPLBACKEND", "TMPDIR", "TEMP", "TMP", *NAMES):
        monkeypatch.setenv(name, "set, so that it is restored")
        monkeypatch.delenv(name)
    monkeypatch.setattr(tempfile, "tempdir", None)


def test_a_user_without_a_name_gets_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(uid: int) -> NoReturn:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    with pytest.raises((KeyError, OSError)):
        getpass.getuser()
    complete_environment()
    assert getpass.getuser() == f"user-{os.getuid()}"


def test_a_user_with_a_name_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USER", "roe")
    complete_environment()
    assert getpass.getuser() == "roe"
    assert "LOGNAME" not in os.environ


@pytest.fixture
def shared_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in its place."""
    folder = tmp_path / "shm"
    folder.mkdir()
    monkeypatch.setattr(environment, "_SHARED_MEMORY", folder)
    return folder


@pytest.mark.parametrize("usable", ["nothing", "the working folder"])
def test_without_a_temporary_folder_shared_memory_serves(
    monkeypatch: pytest.MonkeyPatch, shared_memory: Path, usable: str
) -> None:
    def unusable() -> str:
        if usable == "nothing":
            raise FileNotFoundError("No usable temporary directory found")
        return str(Path.cwd())

    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "gettempdir", unusable)
        complete_environment()
    assert tempfile.gettempdir() == os.environ["TMPDIR"] == str(shared_memory)


@pytest.mark.usefixtures("shared_memory")
def test_a_temporary_folder_that_the_user_chose_is_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    complete_environment()
    assert tempfile.gettempdir() == str(tmp_path)


def test_matplotlib_draws_into_files_whatever_backend_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MPLBACKEND", "no_such_backend")
    complete_environment()
    assert os.environ["MPLBACKEND"] == "agg"
