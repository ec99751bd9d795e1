"""An index of the cases in SQLite, so that the work list is there at once. It can be rebuilt from the files."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal

JobStatus = Literal["new", "queued", "running", "done", "failed", "cancelled"]


@dataclass
class CaseRecord:
    """Where a case is, and how far its job is.

    Args:
        id: Identifier in addresses; does not reveal the name.
        number: Consecutive number, for display.
        name: Name of the case: that of its file or folder.
        folder: Folder of its results.
        scan: The scan; None if it was not found.
        volume: Number of the volume of a 4-D scan.
        series: UID of the DICOM series; None: as in the run record, else the most suitable one.
        mask: The mask of an earlier run or of another tool; None if there is none.
        upload: Whether it was uploaded, and is deleted after some time.
        status: State of its job; a case is new until it is queued or its results are found.
        error: Why the job failed.
    """

    id: str
    number: int
    name: str
    folder: str
    scan: str | None
    volume: int | None = None
    series: str | None = None
    mask: str | None = None
    upload: bool = False
    status: JobStatus = "new"
    error: str | None = None


_COLUMNS = [each.name for each in fields(CaseRecord)]


class CaseIndex:
    """The index in a file.

    Args:
        path: The file; a corrupt one is replaced.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._connection = self._open(path)
        except sqlite3.DatabaseError:
            for each in (path, *path.parent.glob(f"{path.name}-*")):
                each.unlink(missing_ok=True)
            self._connection = self._open(path)

    def _open(self, path: Path) -> sqlite3.Connection:
        # a thread of the server writes at a time; sqlite3 itself is thread-safe
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            found = connection.execute("PRAGMA table_info(cases)").fetchall()
            if found and [row[1] for row in found] != _COLUMNS:
                connection.execute("DROP TABLE cases")  # of another version
            columns = ", ".join(["id TEXT PRIMARY KEY", *_COLUMNS[1:]])
            connection.execute(f"CREATE TABLE IF NOT EXISTS cases ({columns})")
        except sqlite3.DatabaseError:
            connection.close()
            raise
        return connection

    def records(self) -> list[CaseRecord]:
        """All cases in the order of their numbers."""
        query = f"SELECT {', '.join(_COLUMNS)} FROM cases ORDER BY number"
        with closing(self._connection.execute(query)) as rows:
            found = [CaseRecord(*row) for row in rows]
        for each in found:
            each.upload = bool(each.upload)
        return found

    def save(self, record: CaseRecord) -> None:
        """Insert or replace a case."""
        marks = ", ".join("?" * len(_COLUMNS))
        values = list(asdict(record).values())
        self._connection.execute(f"INSERT OR REPLACE INTO cases VALUES ({marks})", values)

    def remove(self, case: str) -> None:
        """Remove a case."""
        self._connection.execute("DELETE FROM cases WHERE id = ?", (case,))

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
