"""Protect signal handlers from libraries that replace them."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def preserve_sigterm_handler() -> Iterator[None]:
    """Restore the SIGTERM handler after the block; Ray, for example, installs its own."""
    if (
        threading.current_thread() is not threading.main_thread()
    ):  # only the main thread receives signals
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
