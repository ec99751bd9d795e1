"""The exit code and the one-line message of every error: the only place where they are decided.

Library code raises the errors of `rma_mamba.errors`; the command line exits with these codes.
"""

from __future__ import annotations

import errno
import os
from enum import IntEnum

from rma_mamba.errors import (
    BackendError,
    ConfigError,
    DataError,
    GridError,
    RmaMambaError,
    ScanError,
    WeightsError,
    is_out_of_memory,
)
from rma_mamba.extras import missing_extra


class ExitCode(IntEnum):
    """Exit codes of the command `rma-mamba`."""

    OK = 0  # success
    INTERNAL_ERROR = 1  # a bug in rma-mamba, or any other error
    USAGE = 2  # wrong option, setting or recipe
    SOME_CASES_FAILED = (
        3  # the other cases of the cohort, or networks of the benchmark, are complete
    )
    BAD_INPUT = 4  # a scan, a mask or a dataset cannot be used
    BAD_WEIGHTS = 5  # weights are missing or corrupt
    OUT_OF_MEMORY = 6  # of the machine or of the GPU
    DEVICE_UNAVAILABLE = 7  # a device, an operator backend or an optional library cannot be used
    QUALITY_TOO_LOW = (
        8  # `--fail-on`: the quality of a mask is red, or yellow; all results are written
    )
    INTERRUPTED = 130  # Ctrl-C: 128 + SIGINT
    OUTPUT_CLOSED = 141  # whoever reads the output has gone, as with `| head -1`: 128 + SIGPIPE
    TERMINATED = 143  # 128 + SIGTERM


_LIMITS = (errno.EAGAIN, errno.EMFILE, errno.ENFILE)
_CODES: dict[type[RmaMambaError], ExitCode] = {
    ConfigError: ExitCode.USAGE,
    ScanError: ExitCode.BAD_INPUT,
    GridError: ExitCode.BAD_INPUT,
    DataError: ExitCode.BAD_INPUT,
    WeightsError: ExitCode.BAD_WEIGHTS,
    BackendError: ExitCode.DEVICE_UNAVAILABLE,
}


def exit_code_of(error: BaseException) -> ExitCode:
    """The exit code for an error that ends the command."""
    if is_out_of_memory(error):
        return ExitCode.OUT_OF_MEMORY
    error = missing_extra(error) or error
    codes = (code for kind, code in _CODES.items() if isinstance(error, kind))
    return next(codes, ExitCode.INTERNAL_ERROR)


def error_message(error: BaseException) -> str:
    """The message for an error, on one line. It never contains a path or a patient's name."""
    if is_out_of_memory(error):
        message = (
            "out of memory. Use --batch-size 1, a smaller model, or a machine with more memory."
        )
    elif isinstance(error, RmaMambaError):
        message = str(error)
    elif missing := missing_extra(error, "this command"):
        message = str(missing)
    elif limit := _exceeded_limit(error):
        message = (
            f"a limit of the system is exceeded ({limit}); expected to be able to start a few threads and open some "
            "files. Raise it (`ulimit -u`, `ulimit -n`, or the container's limit of processes), or set "
            "OMP_NUM_THREADS=1."
        )
    else:  # the text of any other exception may contain a path or a patient's name
        message = (
            f"unexpected {type(error).__name__}; this is a bug in rma-mamba. "
            "Run the command again with --verbose for the traceback, and report it."
        )
    return " ".join(message.split())


def _exceeded_limit(error: BaseException) -> str:
    """Which limit of the system an error is about; "" if about none."""
    if isinstance(error, OSError) and error.errno in _LIMITS:
        return os.strerror(error.errno)
    if isinstance(error, RuntimeError) and "can't start new thread" in str(error):
        return "no thread can be started"
    return ""
