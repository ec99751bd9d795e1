"""What goes wrong around a training, as errors of this package."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from rma_mamba.errors import ConfigError, RmaMambaError

_DEAD_WORKER = "DataLoader worker"


@contextmanager
def known_failures() -> Iterator[None]:
    """Tell a full disk and a worker that died from faults of this program.

    Raises:
        ConfigError: A file of the run cannot be written.
        RmaMambaError: A process that prepares slices died.
    """
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else type(error).__name__
        raise ConfigError(
            f"a file of the run cannot be read or written ({reason}); expected a folder with space. Free some "
            "or choose another with run.folder, and go on with --resume."
        ) from error
    except RuntimeError as error:
        if not str(error).startswith(_DEAD_WORKER):
            raise
        raise RmaMambaError(
            "a process that prepares slices died, most likely for lack of memory; expected all to live. Set "
            "training.workers lower or data.cache to a folder, and go on with --resume."
        ) from error
