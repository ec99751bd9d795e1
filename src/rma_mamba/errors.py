"""Every error this package raises on purpose, and the exit code the command line gives it.

    RmaMambaError            1
    ├── ScanError            4   a scan cannot be read, or does not hold one regular volume
    ├── GridError            4   a geometry is impossible, or two grids do not match
    ├── DataError            4   a dataset holds what would spoil a result
    ├── WeightsError         5   a weights file is missing, damaged, or does not fit the network
    ├── ConfigError          2   a setting or a recipe is wrong
    └── BackendError         7   a device or an operator backend was asked for and cannot run

A message is one line: what was found, what was expected, what to do next. It never names a patient.
"""

from __future__ import annotations

from typing import ClassVar


class RmaMambaError(Exception):
    """Base of all errors of this package."""

    exit_code: ClassVar[int] = 1


class ScanError(RmaMambaError):
    """A scan cannot be read, or is not one regular volume."""

    exit_code: ClassVar[int] = 4


class GridError(RmaMambaError):
    """A geometry is impossible, or two grids that must be one are not."""

    exit_code: ClassVar[int] = 4


class DataError(RmaMambaError):
    """A dataset holds what would spoil a result: a patient on two sides, a label of another case."""

    exit_code: ClassVar[int] = 4


class WeightsError(RmaMambaError):
    """A weights file is missing, damaged, or does not fit the network."""

    exit_code: ClassVar[int] = 5


class ConfigError(RmaMambaError):
    """A setting, a model name or a recipe is wrong."""

    exit_code: ClassVar[int] = 2


class BackendError(RmaMambaError):
    """A device or an operator backend was asked for and cannot run."""

    exit_code: ClassVar[int] = 7
