"""The queue: jobs and deliveries in an SQLite database, which survives the end of the process at any moment.

A job is a study, or a scan of a watched folder. It is `waiting` for more images or its turn, `segmenting`,
`delivering`, and then `done`, `failed`, or `ignored` if nothing in it is to be segmented. A delivery is one object for
one destination: `waiting`, `sending`, `sent` or `failed`. Keys of jobs are pseudonyms.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rma_mamba.errors import ConfigError
from rma_mamba.files import lock_until_exit

JobState = Literal["waiting", "segmenting", "delivering", "done", "failed", "ignored"]
FINISHED: tuple[JobState, ...] = ("done", "failed", "ignored")
# What is known about a delivery before an attempt: never tried; an attempt ended without an answer; delivered earlier.
History = Literal["new", "unknown", "sent_before"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    key TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    round INTEGER NOT NULL DEFAULT 1,
    tries INTEGER NOT NULL DEFAULT 0,
    due REAL NOT NULL DEFAULT 0,
    changed REAL NOT NULL,
    source TEXT NOT NULL DEFAULT '',
    signature TEXT NOT NULL DEFAULT '',
    reason TEXT NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS deliveries (
    job TEXT NOT NULL,
    object TEXT NOT NULL,
    path TEXT NOT NULL,
    instance TEXT NOT NULL,
    destination TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting',
    history TEXT NOT NULL DEFAULT 'new',
    tries INTEGER NOT NULL DEFAULT 0,
    rejections INTEGER NOT NULL DEFAULT 0,
    due REAL NOT NULL DEFAULT 0,
    since REAL NOT NULL,
    PRIMARY KEY (instance, destination)
);
CREATE INDEX IF NOT EXISTS deliveries_of_job ON deliveries (job);
"""
_VERSION = 1
_JOB = "key, state, round, tries, due, changed, source, signature, reason"
_DELIVERY = (
    "job, object, path, instance, destination, state, history, tries, rejections, due, since"
)


@dataclass(frozen=True)
class Job:
    """A row of the table of jobs.

    Args:
        key: Pseudonym of the study, or name of the case.
        state: As above.
        round: Number of times that images were added after segmentation had started, counted from 1.
        tries: Attempts that failed in this round.
        due: Not to be started before this time (seconds since 1970).
        changed: When the state changed last.
        source: The scan of a watched folder, relative to it; "" for a study.
        signature: Its files, by size and time of change.
        reason: Why it failed or was ignored.
    """

    key: str
    state: JobState
    round: int
    tries: int
    due: float
    changed: float
    source: str
    signature: str
    reason: str


@dataclass(frozen=True)
class Delivery:
    """A row of the table of deliveries.

    Args:
        job: Key of the job.
        object: Output type ("dicom_seg").
        path: The file, relative to the folder of the queue.
        instance: SOPInstanceUID of the object.
        destination: Label of the destination.
        state: "waiting", "sending", "sent" or "failed".
        history: What is known before the next attempt.
        tries: Attempts without success.
        rejections: Attempts that the destination answered with an error.
        due: Not to be tried before this time.
        since: When the object was ready.
    """

    job: str
    object: str
    path: str
    instance: str
    destination: str
    state: str = "waiting"
    history: History = "new"
    tries: int = 0
    rejections: int = 0
    due: float = 0.0
    since: float = 0.0


class WorkQueue:
    """Jobs and deliveries, for several threads of one process.

    Args:
        folder: Folder of the queue; created with access for the owner only.

    Raises:
        ConfigError: Another process uses the folder, or it cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._mutex = threading.RLock()
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = lock_until_exit(folder / "queue.lock")
            path = folder / "queue.sqlite3"
            path.touch(mode=0o600)
            self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._prepare()
        except (OSError, sqlite3.Error) as error:
            raise ConfigError(
                f"the folder of the queue cannot be used ({_cause(error)}); expected a writable folder that no other "
                "process uses. Stop the other node, or choose another folder."
            ) from error

    def _prepare(self) -> None:
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")  # a commit survives a power failure
        self._database.executescript(_SCHEMA)
        [version] = self._database.execute("PRAGMA user_version").fetchone()
        if version not in (0, _VERSION):
            raise sqlite3.DatabaseError("of a newer version")
        self._database.execute(f"PRAGMA user_version = {_VERSION}")

    def close(self) -> None:
        """Close the database and release the folder."""
        with self._mutex:
            self._database.close()
            os.close(self._lock)

    def recover(self) -> None:
        """After the end of an earlier process: what it was doing waits again; what it was sending is uncertain."""
        self.recover_jobs()
        for destination in self.unfinished_deliveries():
            self.recover_deliveries(destination)

    def recover_jobs(self) -> None:
        """Jobs that were being segmented wait again."""
        self._run("UPDATE jobs SET state = 'waiting' WHERE state = 'segmenting'")

    def recover_deliveries(self, destination: str) -> None:
        """Whether an object that was being sent to a destination has arrived is uncertain."""
        self._run(
            "UPDATE deliveries SET state = 'waiting', due = 0, history = 'unknown' "
            "WHERE state = 'sending' AND destination = ?",
            destination,
        )

    # jobs

    def jobs(self, *states: JobState) -> list[Job]:
        """All jobs in certain states, or all jobs, the longest unchanged first."""
        marks = ", ".join("?" * len(states))
        where = f"WHERE state IN ({marks})" if states else ""
        rows = self._run(f"SELECT {_JOB} FROM jobs {where} ORDER BY changed, key", *states)
        return [Job(*row) for row in rows]

    def job(self, key: str) -> Job | None:
        """One job."""
        rows = self._run(f"SELECT {_JOB} FROM jobs WHERE key = ?", key)
        return Job(*rows[0]) if rows else None

    def reopen(self, key: str, *, source: str = "", signature: str = "") -> None:
        """Let a job wait for its turn, again if it was further: there is something new in it."""
        now = time.time()
        self._run(
            "INSERT INTO jobs (key, state, changed, source, signature) VALUES (?, 'waiting', ?, ?, ?) "
            "ON CONFLICT (key) DO UPDATE SET round = round + (state != 'waiting'), state = 'waiting', tries = 0, "
            "due = 0, changed = excluded.changed, signature = excluded.signature, reason = ''",
            *(key, now, source, signature),
        )

    def start(self, job: Job) -> bool:
        """Begin segmentation; False if the job has changed meanwhile."""
        return self._move(job, "segmenting", "")

    def accept(self, job: Job, deliveries: Sequence[Delivery], problem: str = "") -> bool:
        """Record the results of a job, and what is to be sent; False if the job has changed meanwhile.

        What an earlier round was still to send is dropped; what it sent is known.

        Args:
            job: The job.
            deliveries: What is to be sent.
            problem: Why there are not all results: the job fails once the others are sent.
        """
        ended: JobState = "failed" if problem else "done"
        with self._transaction():
            if not self._move(job, "delivering" if deliveries else ended, problem):
                return False
            instances = {each.instance for each in deliveries}
            for each in self.deliveries(job.key):
                if each.instance not in instances and each.state in ("waiting", "failed"):
                    self._run("DELETE FROM deliveries WHERE instance = ?", each.instance)
            now = time.time()
            for each in deliveries:
                self._run(
                    "INSERT INTO deliveries (job, object, path, instance, destination, since) "
                    "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (instance, destination) DO UPDATE SET "
                    "job = excluded.job, path = excluded.path, tries = 0, rejections = 0, due = 0, "
                    "since = excluded.since, "
                    "history = CASE state WHEN 'sent' THEN 'sent_before' WHEN 'sending' THEN 'unknown' "
                    "ELSE history END, state = 'waiting'",
                    *(each.job, each.object, each.path, each.instance, each.destination, now),
                )
            return True

    def finish(self, job: Job, state: JobState, reason: str = "") -> bool:
        """End a job; False if it has changed meanwhile."""
        return self._move(job, state, reason)

    def retry(self, job: Job, pause_s: float, *, counted: bool = True) -> bool:
        """Let a job wait for another attempt; False if it has changed meanwhile.

        Args:
            job: The job.
            pause_s: Time until then.
            counted: Whether the attempt counts.
        """
        with self._transaction():
            if not self._move(job, "waiting", ""):
                return False
            now = time.time()
            self._run(
                "UPDATE jobs SET tries = tries + ?, due = ? WHERE key = ?",
                *(counted, now + pause_s, job.key),
            )
            return True

    def forget(self, key: str) -> None:
        """Remove a job and its deliveries."""
        with self._transaction():
            self._run("DELETE FROM deliveries WHERE job = ?", key)
            self._run("DELETE FROM jobs WHERE key = ?", key)

    def counts(self) -> dict[str, int]:
        """Number of jobs in each state."""
        return dict(self._run("SELECT state, COUNT(*) FROM jobs GROUP BY state"))

    def _move(self, job: Job, state: JobState, reason: str) -> bool:
        """Change the state of a job, unless it was reopened since it was read."""
        changed = self._database_execute(
            "UPDATE jobs SET state = ?, reason = ?, changed = ? WHERE key = ? AND round = ? "
            "AND (state = ? OR state = 'segmenting')",
            *(state, reason, time.time(), job.key, job.round, job.state),
        )
        return changed.rowcount == 1

    # deliveries

    def deliveries(self, job: str) -> list[Delivery]:
        """The deliveries of a job."""
        rows = self._run(f"SELECT {_DELIVERY} FROM deliveries WHERE job = ? ORDER BY rowid", job)
        return [Delivery(*row) for row in rows]

    def due_deliveries(self, destination: str) -> list[Delivery]:
        """Those for a destination whose time has come, of the job that waits longest, in the order of the results."""
        rows = self._run(
            f"SELECT {_DELIVERY} FROM deliveries WHERE destination = ? AND state = 'waiting' AND due <= ? "
            "AND job IN (SELECT key FROM jobs WHERE state = 'delivering') ORDER BY due, since, rowid",
            *(destination, time.time()),
        )
        found = [Delivery(*row) for row in rows]
        return [each for each in found if each.job == found[0].job]

    def begin_delivery(self, delivery: Delivery) -> None:
        """Record that an object is being sent, before its first byte is."""
        self._run(
            "UPDATE deliveries SET state = 'sending' WHERE instance = ? AND destination = ?",
            *(delivery.instance, delivery.destination),
        )

    def end_delivery(self, delivery: Delivery) -> JobState | None:
        """Record that the destination has the object; how the job has ended, if this ends it."""
        return self._conclude(delivery, "state = 'sent'")

    def fail_delivery(self, delivery: Delivery) -> JobState | None:
        """Give up a delivery; how the job has ended, if this ends it."""
        return self._conclude(delivery, "state = 'failed'")

    def postpone(
        self, delivery: Delivery, pause_s: float, *, rejected: bool, uncertain: bool
    ) -> None:
        """Try again later.

        Args:
            delivery: The delivery.
            pause_s: Time until then.
            rejected: Whether the destination answered that it does not take the object.
            uncertain: Whether it may have taken it without an answer.
        """
        self._run(
            "UPDATE deliveries SET state = 'waiting', tries = tries + 1, rejections = rejections + ?, due = ?, "
            "history = CASE WHEN ? THEN 'unknown' ELSE history END WHERE instance = ? AND destination = ? "
            "AND state IN ('waiting', 'sending')",
            *(rejected, time.time() + pause_s, uncertain, delivery.instance, delivery.destination),
        )

    def unfinished_deliveries(self) -> dict[str, int]:
        """Number of objects that are still to be sent, by destination."""
        return dict(
            self._run(
                "SELECT destination, COUNT(*) FROM deliveries WHERE state IN ('waiting', 'sending') "
                "GROUP BY destination"
            )
        )

    def _conclude(self, delivery: Delivery, change: str) -> JobState | None:
        with self._transaction():
            self._run(
                f"UPDATE deliveries SET {change} WHERE instance = ? AND destination = ?",
                *(delivery.instance, delivery.destination),
            )
            states = {each.state for each in self.deliveries(delivery.job)}
            job = self.job(delivery.job)
            if states & {"waiting", "sending"} or job is None or job.state != "delivering":
                return None
            reason = job.reason or ("not delivered" if "failed" in states else "")
            state: JobState = "failed" if reason else "done"
            self._run(
                "UPDATE jobs SET state = ?, reason = ?, changed = ? WHERE key = ?",
                *(state, reason, time.time(), job.key),
            )
            return state

    # the database

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._mutex:
            if self._database.in_transaction:
                yield
                return
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    def _run(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with self._mutex:
            return self._database.execute(statement, values).fetchall()

    def _database_execute(self, statement: str, *values: object) -> sqlite3.Cursor:
        with self._mutex:
            return self._database.execute(statement, values)


def _cause(error: OSError | sqlite3.Error) -> str:
    if isinstance(error, BlockingIOError):
        return "another process uses it"
    return getattr(error, "strerror", None) or type(error).__name__
