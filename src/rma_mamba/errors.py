"""Errors that this package raises deliberately, and the exit code of each on the command line.

    RmaMambaError            1
    ├── ScanError            4   a scan cannot be read, or is not one regular volume
    ├── GridError            4   a geometry is invalid, or two grids do not match
    ├── DataError            4   a dataset would give invalid results
    ├── WeightsError         5   a weights file is missing, corrupt, or does not fit the network
    ├── ConfigError          2   a setting or a recipe is invalid
    └── BackendError         7   a requested device or operator backend is not available

A message is one line: what was found, what was expected, what to do next. It never contains patient data.
"""

from __future__ import annotations

from typing import ClassVar


class RmaMambaError(Exception):
    """Base class of all errors of this package."""

    exit_code: ClassVar[int] = 1


class ScanError(RmaMambaError):
    """A scan cannot be read, or is not one regular volume."""

    exit_code: ClassVar[int] = 4


class GridError(RmaMambaError):
    """A geometry is invalid, or two grids that must be identical differ."""

    exit_code: ClassVar[int] = 4


class DataError(RmaMambaError):
    """A dataset would give invalid results: a patient in two splits, a label of another case."""

    exit_code: ClassVar[int] = 4


class WeightsError(RmaMambaError):
    """A weights file is missing, corrupt, or does not fit the network."""

    exit_code: ClassVar[int] = 5


class ConfigError(RmaMambaError):
    """A setting, a model name or a recipe is invalid."""

    exit_code: ClassVar[int] = 2


class BackendError(RmaMambaError):
    """A requested device or operator backend is not available."""

    exit_code: ClassVar[int] = 7
