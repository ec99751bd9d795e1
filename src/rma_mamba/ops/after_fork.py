"""Torch in a forked process: OpenMP threads do not survive a fork, and the thread that forked waits for them forever.

Work of this package therefore moves to a new thread, which gets OpenMP threads of its own. Other use of torch after
this package has used it (a network that is called directly) continues on one thread.
"""

from __future__ import annotations

import contextvars
import ctypes
import multiprocessing
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, cached_property, partial, wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import torch

from rma_mamba.errors import BackendError

P = ParamSpec("P")
R = TypeVar("R")

_thread = threading.local()
_stranded: int | None = None


def survives_fork(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function that uses torch, so that it works in a forked process as well.

    Raises:
        BackendError: It needs a GPU that the parent process already used.
    """

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        if not is_stranded():
            expect_fork()
            return function(*args, **kwargs)
        return _in_new_thread(partial(_run, function, *args, **kwargs))

    return call


def _in_new_thread(function: Callable[[], R]) -> R:
    context = contextvars.copy_context()
    with ThreadPoolExecutor(1, thread_name_prefix="rma-mamba-forked") as thread:
        return thread.submit(context.run, function).result()


def _run(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    try:
        return function(*args, **kwargs)
    except RuntimeError as error:
        if "in forked subprocess" not in str(error):
            raise
        raise BackendError(
            "this process was forked from one that had already used the GPU; expected a new process. Start it with "
            "multiprocessing's method 'spawn', or use the GPU in child processes only."
        ) from error


def is_stranded() -> bool:
    """Whether this thread's OpenMP threads may have been lost in a fork."""
    return threading.get_ident() == _stranded


def expect_fork() -> None:
    """Prepare for a fork, in a thread that is about to use OpenMP threads."""
    _thread.has_openmp = True
    openmp()  # loaded now: another thread may hold the loader's lock when this one forks


def continue_on_one_thread() -> None:
    """Let torch use one thread, if this one's OpenMP threads may have been lost in a fork."""
    if is_stranded():
        torch.set_num_threads(1)


@cache
def openmp() -> Any:
    """GNU's OpenMP library as loaded by torch; None if there is none: others handle forks themselves."""
    for path in sorted((Path(torch.__file__).parent / "lib").glob("libgomp*.so*")):
        try:
            library = ctypes.CDLL(str(path))
            arguments = (*(ctypes.c_void_p,) * 2, *(ctypes.c_uint,) * 2)
            library.GOMP_parallel.argtypes = arguments
            library.GOMP_parallel.restype = None
        except (OSError, AttributeError):
            continue
        return library
    return None


def _strand() -> None:
    global _stranded
    _stranded = threading.get_ident()
    if getattr(_thread, "has_openmp", False) and openmp() is not None:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # for this thread and for new ones; the next line is for new ones
        _in_new_thread(partial(torch.set_num_threads, threads))
        _thread.has_openmp = False
    _renew_locks()


def _renew_locks() -> None:
    """Replace the locks of cached properties (before Python 3.12), which another thread may have held."""
    modules = [each for name, each in sys.modules.items() if name.partition(".")[0] == "rma_mamba"]
    classes = {
        each for module in modules for each in vars(module).values() if isinstance(each, type)
    }
    for each in [member for kind in classes for member in vars(kind).values()]:
        if isinstance(each, cached_property) and hasattr(each, "lock"):
            each.lock = threading.RLock()


def _is_forked() -> bool:
    """Whether multiprocessing has forked this process, before this module was imported."""
    forked = getattr(multiprocessing.context, "ForkProcess", None)  # not on Windows
    return forked is not None and isinstance(multiprocessing.current_process(), forked)


if _is_forked():
    _strand()
if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_strand)
