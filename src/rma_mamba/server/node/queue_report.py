"""The state of a queue, for operators and monitoring; the node that works on it may be running."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any

from rma_mamba.errors import ConfigError

_UNFINISHED = ("waiting", "segmenting", "delivering", "failed")


def queue_report(folder: Path) -> dict[str, Any]:
    """Number of jobs by state, those that are not finished or failed, and number of objects still to be sent.

    Raises:
        ConfigError: There is no queue in the folder.
    """
    path = folder / "queue.sqlite3"
    try:
        database = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        try:
            return _report(database)
        finally:
            database.close()
    except sqlite3.Error:
        raise ConfigError(
            "there is no queue in the folder of the configuration; expected that of a node that has run. "
            "Start the node first, or correct 'listener.folder'."
        ) from None


def _report(database: sqlite3.Connection) -> dict[str, Any]:
    marks = ", ".join("?" * len(_UNFINISHED))
    jobs = database.execute(
        f"SELECT key, state, tries, changed, reason FROM jobs WHERE state IN ({marks}) ORDER BY changed",
        _UNFINISHED,
    )
    now = time.time()
    return {
        "jobs": dict(database.execute("SELECT state, COUNT(*) FROM jobs GROUP BY state")),
        "unsent_objects": dict(
            database.execute(
                "SELECT destination, COUNT(*) FROM deliveries WHERE state IN ('waiting', 'sending') "
                "GROUP BY destination"
            )
        ),
        "unfinished": [
            {
                "job": key,
                "state": state,
                "tries": tries,
                "unchanged_seconds": round(now - changed),
                "reason": reason,
            }
            for key, state, tries, changed, reason in jobs
        ],
    }
