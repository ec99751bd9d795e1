"""What libraries expect of every process, and what is missing in containers and batch jobs.

For programs, not for libraries, to decide on: the command line completes its environment before it imports any of them.
"""

from __future__ import annotations

import getpass
import logging
import os
import tempfile
from pathlib import Path

_SHARED_MEMORY = Path("/dev/shm")  # writable also where the root file system is not


def complete_environment() -> None:
    """Provide a user name, a temporary folder and a plotting backend that exists; child processes inherit them.

    - A process may run under a number that has no name: a container with `--user 12345`. MONAI cannot be imported then.
    - None of the usual temporary folders may be writable. Shared memory serves instead, if it is.
    - MPLBACKEND may name a backend that is not installed: matplotlib cannot be imported then. Nothing is shown here.
    - Where matplotlib finds no folder for its settings, it takes a temporary one, and need not say so.
    """
    os.environ["MPLBACKEND"] = "agg"
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    _provide_user_name()
    _provide_temporary_folder()


def _provide_user_name() -> None:
    try:
        getpass.getuser()
    except (ImportError, KeyError, OSError):  # which one depends on the version of Python
        os.environ["LOGNAME"] = f"user-{os.getuid()}"


def _provide_temporary_folder() -> None:
    try:
        found = Path(tempfile.gettempdir())
    except FileNotFoundError:
        found = Path.cwd()
    # Python falls back to the working directory, where libraries would leave their folders.
    chosen = {os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP")}
    if found == Path.cwd() and str(found) not in chosen and os.access(_SHARED_MEMORY, os.W_OK):
        os.environ["TMPDIR"] = tempfile.tempdir = str(_SHARED_MEMORY)
