"""Errors of the environment of a training run, translated into errors of this package."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from rma_mamba.errors import BackendError, ConfigError, RmaMambaError

_DEAD_WORKER = "DataLoader worker"
_SHARED_MEMORY = (
    "shared memory",  # torch
    "/torch_",  # the names of its files
    "Bus error",
    "ancdata",
    "Too many open files",
)
_FORKED = "fork-based multiprocessing"


class LossError(ConfigError):
    """The loss of a training run is no longer finite: the settings do not train, or a slice is damaged.

    Args:
        message: The whole sentence.
        brief: What happened, without slices and advice; empty: the whole sentence.
    """

    def __init__(self, message: str, brief: str = "") -> None:
        super().__init__(message)
        self.brief = brief or message


@contextmanager
def translate_errors() -> Iterator[None]:
    """Translate what the environment does to a run, and what is not a bug in rma-mamba.

    Raises:
        ConfigError: A file of the run cannot be read or written, or shared memory is too small.
        BackendError: The process was forked from one that has trained.
        RmaMambaError: A data loader worker died.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:
        translated = _translated(error)
        if translated is None:
            raise
        raise translated from error


def _translated(error: OSError | RuntimeError) -> RmaMambaError | None:
    text = str(error)
    if any(words in text for words in _SHARED_MEMORY):
        return ConfigError(
            "the data loader workers cannot share batches (too little shared memory, or too many open files); expected "
            "room in /dev/shm for several batches. Set training.workers=0, or give the container more shared memory "
            "(docker run --shm-size), and continue with --resume."
        )
    if isinstance(error, OSError):
        reason = os.strerror(error.errno) if error.errno else type(error).__name__
        return ConfigError(
            f"a file of the training run cannot be read or written ({reason}); expected a writable folder with "
            "free space. Free some space or choose another folder with run.folder, and continue with --resume."
        )
    if _FORKED in text:
        return BackendError(
            "this process was forked from one that has trained a network; expected a new process. Start it with "
            "multiprocessing's method 'spawn'."
        )
    if text.startswith(_DEAD_WORKER):
        return RmaMambaError(
            "a data loader worker died, most likely because memory ran out; expected all workers to keep "
            "running. Lower training.workers or set data.cache to a folder, and continue with --resume."
        )
    return None
