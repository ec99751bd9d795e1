"""A bare environment gets a user name, a temporary folder and a backend of matplotlib; others stay as they are."""

import getpass
import os
import pwd
import subprocess
import sys
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


def test_a_user_without_a_home_gets_one_that_nothing_is_written_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unknown(uid: int) -> NoReturn:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.setenv("HOME", "set, so that it is restored")
    monkeypatch.delenv("HOME")
    complete_environment()
    assert Path("~/.cache").expanduser() == Path("/nonexistent/.cache")


def test_a_home_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    complete_environment()
    assert Path.home() == tmp_path


def test_a_working_directory_that_was_deleted_is_left(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    complete_environment()
    assert Path.cwd() == Path("/proc")
    with pytest.raises(OSError, match="mask"):
        Path("mask.nii.gz").write_text("a relative path has no place")


@pytest.mark.parametrize(("value", "kept"), [("0", None), ("-1", None), ("x", None), ("3", "3")])
def test_numbas_number_of_threads_is_kept_if_valid(
    monkeypatch: pytest.MonkeyPatch, value: str, kept: str | None
) -> None:
    monkeypatch.setenv("NUMBA_NUM_THREADS", value)
    complete_environment()
    assert os.environ.get("NUMBA_NUM_THREADS") == kept


def run_python(script: str, **environment: str) -> None:
    """Run a script in a new process; its assertions have to hold."""
    finished = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr


@pytest.mark.parametrize(
    "backend", ["module://no_such_package.backend", "no_such_backend", " ", "tkagg", "agg", ""]
)
def test_python_programs_load_matplotlib_whatever_backend_is_named(backend: str) -> None:
    script = (
        "import os\n"
        "from pathlib import Path\n"
        "from rma_mamba.environment import load_matplotlib\n"
        "load_matplotlib(Path())\n"
        "from matplotlib.backends.backend_pdf import PdfPages\n"
        f"assert os.environ['MPLBACKEND'] == {backend!r}\n"
    )
    run_python(script, MPLBACKEND=backend)


def test_matplotlib_needs_no_temporary_folder(tmp_path: Path) -> None:
    script = (
        "import os, tempfile\n"
        "from pathlib import Path\n"
        "from rma_mamba.environment import load_matplotlib\n"
        "def unusable(): raise FileNotFoundError('no usable temporary directory')\n"
        "tempfile.gettempdir = unusable\n"
        f"folder = Path({str(tmp_path / 'out')!r})\n"
        "load_matplotlib(folder)\n"
        "from matplotlib.figure import Figure\n"
        "Figure().savefig(folder / 'figure.pdf')\n"
        "assert [path.name for path in folder.iterdir()] == ['figure.pdf']\n"
        "assert 'MPLCONFIGDIR' not in os.environ\n"
    )
    nothing = {"HOME": "/proc/no/home", "XDG_CONFIG_HOME": "", "XDG_CACHE_HOME": ""}
    run_python(script, **nothing)


def test_training_libraries_load_for_a_user_without_a_name() -> None:
    script = (
        "import os, pwd\n"
        "def unknown(uid): raise KeyError('uid not found')\n"
        "pwd.getpwuid = unknown\n"
        "for name in ('LOGNAME', 'USER', 'LNAME', 'USERNAME'): os.environ.pop(name, None)\n"
        "from rma_mamba.training import require_training_packages\n"
        "require_training_packages()\n"
        "assert 'LOGNAME' not in os.environ\n"
    )
    run_python(script, MPLBACKEND="module://no_such_package.backend")
