"""Settings of the whole process that make it faster: for programs, not for libraries, to decide on."""

from __future__ import annotations

import ctypes
import gc

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of glibc's mallopt
_KEPT_BYTES = 128 << 20
_LARGEST_HEAP_BYTES = 32 << 20  # the most that glibc takes as a threshold
_GARBAGE_THRESHOLD = 100_000


def tune_process() -> None:
    """Keep freed memory for the next map of a network, and look for garbage less often.

    A network frees and asks for maps of some megabytes all the time. By default each comes from the system anew, page
    by page: a quarter of the time of the embedded network. Up to 128 MiB that are free stay with the process.
    Does nothing where the C library is another one than glibc.

    Looking for cyclic garbage takes a sixth of the time in which torch and numba are loaded, and finds none.
    """
    gc.set_threshold(_GARBAGE_THRESHOLD)
    try:
        set_option = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return
    set_option(_MMAP_THRESHOLD, _LARGEST_HEAP_BYTES)
    set_option(_TRIM_THRESHOLD, _KEPT_BYTES)
