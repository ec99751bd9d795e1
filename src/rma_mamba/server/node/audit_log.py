"""The audit log: one line of JSON for each event, without patient data."""

from __future__ import annotations

import json
import os
import threading
from datetime import UTC, datetime
from pathlib import Path

_LONGEST_TEXT = 200


class AuditLog:
    """Appends events to a file. It opens the file each time, so that the file can be rotated or moved away.

    Studies are named by their pseudonyms (`pseudonyms`); no name, identifier, date or UID of a patient or study is
    written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()

    def write(self, event: str, **details: str | float | int | None) -> None:
        """Append an event with its details; those that are None are left out."""
        record: dict[str, str | float | int] = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "event": event,
        }
        for name, value in details.items():
            if value is not None:
                record[name] = _plain(value) if isinstance(value, str) else value
        line = json.dumps(record).encode() + b"\n"
        with self._lock:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(descriptor, line)
            finally:
                os.close(descriptor)


def _plain(text: str) -> str:
    """Printable text of limited length: titles and addresses are what others claim to be."""
    return "".join(c if c.isprintable() else "?" for c in text)[:_LONGEST_TEXT]
