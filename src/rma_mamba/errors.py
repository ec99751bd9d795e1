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


class RmaMambaError(Exception):
    """Base class of all errors of this package."""


class ScanError(RmaMambaError):
    """A scan cannot be read, or is not one regular volume."""


class GridError(RmaMambaError):
    """A geometry is invalid, or two grids that must be identical differ."""


class DataError(RmaMambaError):
    """A dataset would give invalid results: a patient in two splits, a label of another case."""


class WeightsError(RmaMambaError):
    """A weights file is missing, corrupt, or does not match the network."""


class ConfigError(RmaMambaError):
    """A setting, a model name or a recipe is invalid."""


class BackendError(RmaMambaError):
    """A requested device or operator backend is not available."""
