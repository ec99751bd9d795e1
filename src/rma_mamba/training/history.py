"""Metrics of all epochs of a training run, as stored in its folder."""

from __future__ import annotations

import json
from pathlib import Path

from rma_mamba.files import replace_file

_FILE = "history.json"

History = dict[str, list[float]]  # metric name to one value per epoch


def write_history(folder: Path, history: History) -> None:
    """Write the history to a run folder.

    Raises:
        ScanError: The file cannot be written.
    """
    replace_file(folder / _FILE, json.dumps(history).encode(), "curves")


def read_history(folder: Path) -> History:
    """Read the history of a run folder; empty if there is none."""
    try:
        found: History = json.loads((folder / _FILE).read_text())
    except (OSError, ValueError):
        return {}
    return found
