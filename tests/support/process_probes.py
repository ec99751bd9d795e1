"""Functions that new processes of the tests can import."""

from __future__ import annotations

import os
import sys


def end(_: int) -> None:
    """Die without a word."""
    os._exit(3)


def threads(_: int) -> tuple[str, bool]:
    """The number of threads that libraries are told, and whether torch was imported before."""
    return os.environ["OMP_NUM_THREADS"], "torch" in sys.modules
