"""Handlers of signals that libraries replace."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def preserve_sigterm_handler() -> Iterator[None]:
    """Restore the handler of SIGTERM after the block: Ray, for one, installs its own."""
    if threading.current_thread() is not threading.main_thread():  # only that one receives signals
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
