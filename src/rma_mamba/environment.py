"""Settings that libraries need and that containers, notebooks and batch jobs may lack.

`complete_environment` affects the whole process, so only the command line calls it, before it imports the libraries.
"""

from __future__ import annotations

import getpass
import importlib
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_SHARED_MEMORY = Path("/dev/shm")  # writable even if the root file system is not
_NO_FILES = "/proc"  # a folder in which no file can be created
_NO_HOME = "/nonexistent"  # as Debian has it for users without a home


def user_folder() -> Path:
    """The folder of this user's own files of this program: `RMA_MAMBA_HOME`, else in the user's cache."""
    home = os.environ.get("RMA_MAMBA_HOME")
    return Path(home) if home else Path.home() / ".cache" / "rma-mamba"


def complete_environment() -> None:
    """Provide a user name, a home, a temporary folder and a plotting backend that exists; child processes inherit them.

    - User name: in a container started with `--user 12345` the user has no name, and MONAI cannot be imported.
    - Home: such a user may have none; libraries would then write to a folder named "~" in the working directory.
    - Temporary folder: if none of the usual folders is writable, shared memory is used, if that is.
    - Plotting backend: matplotlib cannot be imported if MPLBACKEND names a backend that is not installed. Plots are
      only written to files, so "agg" is sufficient.
    - NUMBA_NUM_THREADS: numba cannot be imported if it is not positive; the kernels do not use it.
    - Working directory: one that was deleted is left, because MKL ends the process there. Relative paths do not exist
      then, as before.
    - Log messages: matplotlib's notice that it uses a temporary configuration folder is suppressed.
    """
    os.environ["MPLBACKEND"] = "agg"
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    _leave_deleted_folder()
    _provide_user_name()
    _provide_home()
    _provide_temporary_folder()
    if not _is_positive(os.environ.get("NUMBA_NUM_THREADS", "1")):
        del os.environ["NUMBA_NUM_THREADS"]


def load_matplotlib(folder: Path) -> None:
    """Import matplotlib, also if MPLBACKEND names a backend that is not installed or no temporary folder exists.

    Args:
        folder: Holds matplotlib's settings during the import if nothing else is writable; created if missing.

    Raises:
        OSError: Nothing is writable.
    """
    try:
        _import_matplotlib()
    except ValueError:
        with _variable("MPLBACKEND", None):
            load_matplotlib(folder)
    except OSError:
        if "MPLCONFIGDIR" in os.environ:
            raise
        folder.mkdir(parents=True, exist_ok=True)
        with (
            tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as settings,
            _variable("MPLCONFIGDIR", settings),
        ):
            load_matplotlib(folder)
            importlib.import_module("matplotlib.font_manager")


def _import_matplotlib() -> None:
    try:
        importlib.import_module("matplotlib")
    except Exception:
        for name in [each for each in sys.modules if each.startswith("matplotlib.")]:
            del sys.modules[name]  # they would lack what the failed import has not set
        raise


@contextmanager
def _variable(name: str, value: str | None) -> Iterator[None]:
    """Set an environment variable in the block; None: remove it."""
    before = os.environ.pop(name, None)
    if value is not None:
        os.environ[name] = value
    try:
        yield
    finally:
        os.environ.pop(name, None)
        if before is not None:
            os.environ[name] = before


@contextmanager
def named_user() -> Iterator[None]:
    """Give the user a name in the block, if it has none."""
    with _variable("LOGNAME", os.environ.get("LOGNAME")):
        _provide_user_name()
        yield


def _is_positive(text: str) -> bool:
    return text.isdecimal() and int(text) > 0


def _leave_deleted_folder() -> None:
    try:
        Path.cwd()
    except FileNotFoundError:
        with suppress(OSError):
            os.chdir(_NO_FILES)


def _provide_user_name() -> None:
    try:
        getpass.getuser()
    except (ImportError, KeyError, OSError):  # depends on the Python version
        os.environ["LOGNAME"] = f"user-{os.getuid()}"


def _provide_home() -> None:
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = _NO_HOME


def _provide_temporary_folder() -> None:
    """Use shared memory if there is no other folder, or only the working directory, which libraries would litter."""
    try:
        found = tempfile.gettempdir()
    except FileNotFoundError:
        found = ""
    chosen = {os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP")}
    wanted = (not found or found == str(Path.cwd())) and found not in chosen
    if wanted and os.access(_SHARED_MEMORY, os.W_OK):
        os.environ["TMPDIR"] = tempfile.tempdir = str(_SHARED_MEMORY)
