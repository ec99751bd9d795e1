"""Settings that libraries need and that containers and batch jobs may lack.

They affect the whole process, so only the command line applies them, before it imports the libraries.
"""

from __future__ import annotations

import getpass
import logging
import os
import tempfile
from pathlib import Path

_SHARED_MEMORY = Path("/dev/shm")  # writable even if the root file system is not


def complete_environment() -> None:
    """Provide a user name, a temporary folder and a plotting backend that exists; child processes inherit them.

    - User name: in a container started with `--user 12345` the user has no name, and MONAI cannot be imported.
    - Temporary folder: if none of the usual folders is writable, shared memory is used, if that is.
    - Plotting backend: matplotlib cannot be imported if MPLBACKEND names a backend that is not installed. Plots are
      only written to files, so "agg" is sufficient.
    - Log messages: matplotlib's notice that it uses a temporary configuration folder is suppressed.
    """
    os.environ["MPLBACKEND"] = "agg"
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    _provide_user_name()
    _provide_temporary_folder()


def _provide_user_name() -> None:
    try:
        getpass.getuser()
    except (ImportError, KeyError, OSError):  # depends on the Python version
        os.environ["LOGNAME"] = f"user-{os.getuid()}"


def _provide_temporary_folder() -> None:
    try:
        found = Path(tempfile.gettempdir())
    except FileNotFoundError:
        found = Path.cwd()
    # Python falls back to the working directory, which libraries would then litter.
    chosen = {os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP")}
    if found == Path.cwd() and str(found) not in chosen and os.access(_SHARED_MEMORY, os.W_OK):
        os.environ["TMPDIR"] = tempfile.tempdir = str(_SHARED_MEMORY)
