"""Errors that this package raises deliberately. Exit codes of the command line: `rma_mamba.pipeline.exit_codes`.

    RmaMambaError
    ├── ScanError            a scan cannot be read, or is not one regular volume
    ├── GridError            a geometry is invalid, or two grids do not match
    ├── DataError            a dataset would give invalid results
    ├── WeightsError         a weights file is missing, corrupt, or does not match the network
    ├── ConfigError          a setting or a recipe is invalid
    └── BackendError         a requested device or operator backend is not available

A message is one line: what was found, what was expected, what to do next. It never contains patient data.
"""

from __future__ import annotations

import errno
from importlib import import_module

from rma_mamba.deprecation import warn_renamed


class EnvironmentWarning(UserWarning):
    """The machine limits what was requested, with the same results, or an unreadable file is left out; one line."""


class _ExitCode:
    """Deprecated attribute of errors and their classes; the codes are decided in a higher layer."""

    def __get__(self, error: RmaMambaError | None, owner: type[RmaMambaError]) -> int:
        warn_renamed(f"{owner.__name__}.exit_code", "rma_mamba.pipeline.exit_code_of")
        exit_codes = import_module("rma_mamba.pipeline.exit_codes")
        return int(exit_codes.exit_code_of(owner.__new__(owner) if error is None else error))


class RmaMambaError(Exception):
    """Base class of all errors of this package."""

    exit_code = _ExitCode()


class ScanError(RmaMambaError):
    """A scan cannot be read, or is not one regular volume."""


class GridError(RmaMambaError):
    """A geometry is invalid, or two grids that must be identical differ."""


class DataError(RmaMambaError):
    """A dataset would give invalid results: a patient in two splits, a label that belongs to another case."""


class WeightsError(RmaMambaError):
    """A weights file is missing, corrupt, or does not match the network."""


class ConfigError(RmaMambaError):
    """A setting, a model name or a recipe is invalid."""


class BackendError(RmaMambaError):
    """A requested device or operator backend is not available."""


def is_disk_full(error: BaseException | None) -> bool:
    """Whether an error, or what caused it, is that a disk or a quota is full; SQLite has an error of its own."""
    if error is None:
        return False
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    return full or "disk is full" in str(error) or is_disk_full(error.__cause__)


def is_out_of_memory(error: BaseException | None) -> bool:
    """Whether an error, or what caused it, is that memory ran out, of the machine or of a GPU."""
    if error is None or isinstance(error, MemoryError):
        return error is not None
    # torch reports it in two ways; importing torch just to check the type would take seconds
    if isinstance(error, RuntimeError) and (
        type(error).__name__ == "OutOfMemoryError" or "allocate memory" in str(error)
    ):
        return True
    return is_out_of_memory(error.__cause__)
