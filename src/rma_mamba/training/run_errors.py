"""Errors of the environment of a training run, translated into errors of this package."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from rma_mamba.errors import ConfigError, RmaMambaError

_DEAD_WORKER = "DataLoader worker"


@contextmanager
def translate_errors() -> Iterator[None]:
    """Translate a full disk and a dead data loader worker, which are not bugs in rma-mamba.

    Raises:
        ConfigError: A file of the run cannot be read or written.
        RmaMambaError: A data loader worker died.
    """
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else type(error).__name__
        raise ConfigError(
            f"a file of the training run cannot be read or written ({reason}); expected a writable folder with "
            "free space. Free some space or choose another folder with run.folder, and continue with --resume."
        ) from error
    except RuntimeError as error:
        if not str(error).startswith(_DEAD_WORKER):
            raise
        raise RmaMambaError(
            "a data loader worker died, most likely because memory ran out; expected all workers to keep "
            "running. Lower training.workers or set data.cache to a folder, and continue with --resume."
        ) from error
