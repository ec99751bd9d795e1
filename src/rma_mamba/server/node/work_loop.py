"""Segment the jobs of the queue one after another, in a process of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from rma_mamba.errors import RmaMambaError
from rma_mamba.pipeline.exit_codes import error_message
from rma_mamba.pipeline.isolated_process import DiskFullError, IsolatedProcess, ProcessDiedError
from rma_mamba.server.node.results_to_send import SentObject
from rma_mamba.server.node.study_task import Segmented
from rma_mamba.server.node.work_queue import Delivery, Job, JobState

if TYPE_CHECKING:
    from rma_mamba.server.node.audit_log import AuditLog
    from rma_mamba.server.node.node_metrics import NoMetrics
    from rma_mamba.server.node.work_queue import WorkQueue

_POLL_SECONDS = 0.1
_FULL_PAUSE_SECONDS = 30.0
_NO_SERIES = "no series matches a rule"
_FIRST_PAUSE_SECONDS = 10.0  # after a crash; it doubles with each further one


class Source(Protocol):
    """Where the scans of jobs come from."""

    def is_ready(self, job: Job) -> bool:
        """Whether a waiting job may start."""

    def is_complete(self, job: Job) -> bool:
        """Whether the results of a segmented job may be used: nothing more is expected."""

    def segment(self, job: Job, process: IsolatedProcess) -> list[Segmented]:
        """Segment a job; an empty list if there is nothing to be segmented.

        Raises:
            RmaMambaError: It cannot be segmented.
            ProcessDiedError: The process ended, or memory ran out.
        """


@dataclass(frozen=True)
class _Outcome:
    """How segmentation has ended: results, and why there are no others."""

    job: Job
    results: Sequence[Segmented]
    problem: str

    @classmethod
    def of(cls, job: Job, results: Sequence[Segmented]) -> _Outcome:
        problems = [each.problem for each in results if each.problem]
        found = [each for each in results if not each.problem]
        text = f"{len(problems)} of {len(results)} series: {problems[0]}" if problems else ""
        return cls(job, found, text)


class WorkLoop:
    """Takes jobs from the queue.

    Args:
        queue: The queue.
        source: Where the scans are.
        process: The process that segments.
        recipients: Output types that each destination takes, by its label.
        max_tries: A job fails after this many crashes.
        metrics: Counters.
        audit: The audit log.
        on_end: Called with each job that ended without being sent, and why it failed.
        waits_for_space: Whether a job whose results find no space waits for it; else it fails.
    """

    def __init__(
        self,
        queue: WorkQueue,
        source: Source,
        process: IsolatedProcess,
        recipients: dict[str, Sequence[str]],
        max_tries: int,
        metrics: NoMetrics,
        audit: AuditLog,
        on_end: Callable[[Job, str], None] = lambda job, text: None,
        *,
        waits_for_space: bool = True,
    ) -> None:
        self._queue, self._source, self._process = queue, source, process
        self._recipients, self._max_tries = recipients, max_tries
        self._metrics, self._audit, self._on_end = metrics, audit, on_end
        self._waits_for_space = waits_for_space
        self._outcomes: list[_Outcome] = []  # of jobs to which more may be added

    def run(self, stop: threading.Event) -> None:
        """Segment whatever is ready, until `stop` is set."""
        self._outcomes = []
        self._queue.recover_jobs()
        while not stop.is_set():
            self.accept_complete()
            if not self.segment_next(stop):
                stop.wait(_POLL_SECONDS)

    def accept_complete(self) -> None:
        """Hand over the results of jobs that are complete; a job to which more was added is segmented again."""
        outcomes, self._outcomes = self._outcomes, []
        for each in outcomes:
            now = self._queue.job(each.job.key)
            if now is None or now.round != each.job.round:
                continue
            if self._source.is_complete(each.job):
                self._accept(each)
            else:
                self._outcomes.append(each)

    def segment_next(self, stop: threading.Event) -> bool:
        """Segment the job that has waited longest of those that are ready; whether there was one."""
        now = time.time()
        for job in self._queue.jobs("waiting"):
            if job.due <= now and self._source.is_ready(job) and self._queue.start(job):
                self._segment(job, stop)
                return True
        return False

    def _segment(self, job: Job, stop: threading.Event) -> None:
        self._audit.write("segmentation_started", job=job.key)
        started = time.monotonic()
        try:
            results = self._source.segment(job, self._process)
        except ProcessDiedError as error:
            if not stop.is_set():  # else the next process segments it
                self._crashed(job, error.cause)
            return
        except RmaMambaError as error:
            if isinstance(error, DiskFullError) and self._waits_for_space:
                self._postpone(job, "no space on the disk", _FULL_PAUSE_SECONDS, counted=False)
                return
            outcome = _Outcome(job, [], error_message(error))
        else:
            outcome = _Outcome.of(job, results)
            self._metrics.seconds.observe(time.monotonic() - started)
            self._audit.write(
                "segmentation_ended",
                job=job.key,
                series=len(outcome.results),
                seconds=round(sum(each.seconds for each in results), 2),
            )
        self._outcomes.append(outcome)
        self.accept_complete()

    def _accept(self, outcome: _Outcome) -> None:
        """Hand over results; what could not be segmented is why the job fails, once the rest is sent."""
        job, problem = outcome.job, outcome.problem
        deliveries = self._deliveries(job, outcome.results)
        if not outcome.results:
            self._end(job, "failed" if problem else "ignored", problem or _NO_SERIES)
        elif self._queue.accept(job, deliveries, problem) and not deliveries:
            self._note_end(job, "failed" if problem else "done", problem)

    def _deliveries(self, job: Job, results: Sequence[Segmented]) -> list[Delivery]:
        """One delivery for each object and destination that takes it."""
        found = []
        for result in results:
            for name, path in result.files.items():
                labels = [each for each, names in self._recipients.items() if name in names]
                if labels:
                    instance = SentObject.from_file(path).instance
                    relative = _relative(path, self._queue.folder)
                    found += [Delivery(job.key, name, relative, instance, each) for each in labels]
        return found

    def _crashed(self, job: Job, reason: str) -> None:
        if job.tries + 1 >= self._max_tries:
            self._end(job, "failed", f"{reason}, {job.tries + 1} times")
            return
        self._postpone(job, reason, _FIRST_PAUSE_SECONDS * 2**job.tries)

    def _postpone(self, job: Job, reason: str, pause_s: float, *, counted: bool = True) -> None:
        self._queue.retry(job, pause_s, counted=counted)
        self._audit.write(
            "segmentation_postponed", job=job.key, reason=reason, next_try_seconds=pause_s
        )

    def _end(self, job: Job, state: JobState, reason: str) -> None:
        if self._queue.finish(job, state, reason):  # else more has arrived
            self._note_end(job, state, reason)

    def _note_end(self, job: Job, outcome: str, reason: str) -> None:
        self._audit.write("job_ended", job=job.key, outcome=outcome, reason=reason or None)
        self._metrics.studies.labels(outcome).inc()
        if outcome == "done":
            self._metrics.last_done.set_to_current_time()
        self._on_end(job, reason)


def _relative(path: Path, folder: Path) -> str:
    """A path relative to the folder of the queue, which may be moved as a whole; else absolute."""
    path, folder = path.absolute(), folder.absolute()
    return str(path.relative_to(folder) if path.is_relative_to(folder) else path)
