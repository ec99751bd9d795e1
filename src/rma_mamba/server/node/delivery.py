"""Send what is due to one destination, in a thread of its own, with retries."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rma_mamba.errors import RmaMambaError, ScanError
from rma_mamba.server.node.config import DeliveryConfig, DestinationConfig
from rma_mamba.server.node.dicomweb import Credentials, DicomwebDestination, Service
from rma_mamba.server.node.dimse_sender import DimseDestination
from rma_mamba.server.node.results_to_send import (
    Connection,
    Destination,
    NotNowError,
    RejectedError,
    SentObject,
    UnreachableError,
)
from rma_mamba.server.node.work_queue import Delivery, JobState

if TYPE_CHECKING:
    from rma_mamba.server.node.audit_log import AuditLog
    from rma_mamba.server.node.node_metrics import NoMetrics
    from rma_mamba.server.node.work_queue import WorkQueue

_POLL_SECONDS = 0.2
MAX_REJECTIONS = 5  # answers, not failed connections: the archive will not change its mind


def open_destination(
    config: DestinationConfig,
    ae_title: str,
    timeout_s: float,
    credentials: Credentials | None = None,
) -> Destination:
    """The archive of a configuration.

    Args:
        config: The configuration.
        ae_title: AE title of this side.
        timeout_s: Longest time to wait for an answer.
        credentials: For DICOMweb; None: those of the configuration.

    Raises:
        BackendError: A library is not installed.
        ConfigError: A certificate cannot be used, or a file with credentials not be read.
    """
    if config.url is None:
        return DimseDestination(config, ae_title, timeout_s)
    tls = config.tls
    pair = (tls.certificate, tls.key) if tls and tls.certificate and tls.key else None
    known = credentials or Credentials(
        config.user, _first_line(config.password_file), _first_line(config.token_file)
    )
    authorities = tls.authorities if tls else None
    return DicomwebDestination(Service(config.url, known, authorities, pair, timeout_s))


def _first_line(path: Path | None) -> str | None:
    return None if path is None else (path.read_text("utf-8").splitlines() or [""])[0].strip()


class Deliverer:
    """Sends objects to one destination.

    Args:
        label: Label of the destination.
        destination: The destination.
        settings: Retries.
        queue: The queue.
        metrics: Counters.
        audit: The audit log.
    """

    def __init__(
        self,
        label: str,
        destination: Destination,
        settings: DeliveryConfig,
        queue: WorkQueue,
        metrics: NoMetrics,
        audit: AuditLog,
    ) -> None:
        self._label, self._destination, self._settings = label, destination, settings
        self._queue, self._metrics, self._audit = queue, metrics, audit

    def run(self, stop: threading.Event) -> None:
        """Send whatever becomes due, until `stop` is set."""
        self._queue.recover_deliveries(self._label)
        while not stop.is_set():
            if not self.send_due():
                stop.wait(_POLL_SECONDS)

    def send_due(self) -> bool:
        """Send what is due of one job; whether there was anything."""
        due = self._queue.due_deliveries(self._label)
        if not due:
            return False
        objects = []
        for delivery in due:
            try:
                objects.append((delivery, SentObject.from_file(self._queue.folder / delivery.path)))
            except ScanError:  # somebody removed the file
                self._give_up(delivery, "the file is missing")
        if objects:
            self._send_all(objects)
        return True

    def _send_all(self, objects: Sequence[tuple[Delivery, SentObject]]) -> None:
        """Send objects over one connection; each is recorded before and after."""
        try:
            connection = self._destination.connect([sent for _, sent in objects])
        except (UnreachableError, RejectedError) as error:
            for delivery, _ in objects:
                self._postpone(delivery, str(error))
            return
        try:
            for number, (delivery, sent) in enumerate(objects):
                if not self._send(connection, delivery, sent):
                    for untouched, _ in objects[number + 1 :]:
                        self._postpone(untouched, "the connection was lost")
                    return
        finally:
            connection.close()

    def _send(self, connection: Connection, delivery: Delivery, sent: SentObject) -> bool:
        """Send one object; False if the connection was lost."""
        self._queue.begin_delivery(delivery)
        event = "already_there"
        try:
            if delivery.history == "new" or not self._is_there(connection, delivery, sent):
                connection.send(sent)
                event = "delivered"
        except RejectedError as error:
            self._postpone(delivery, str(error), rejected=not isinstance(error, NotNowError))
            return True
        except UnreachableError as error:
            self._postpone(delivery, str(error), uncertain=True)
            return False
        except (OSError, RmaMambaError) as error:
            self._postpone(delivery, type(error).__name__, rejected=True)
            return True
        if event == "delivered":
            self._metrics.sent.labels(delivery.object, self._label).inc()
        self._audit.write(event, job=delivery.job, object=delivery.object, destination=self._label)
        self._note_end(delivery, self._queue.end_delivery(delivery))
        return True

    def _is_there(self, connection: Connection, delivery: Delivery, sent: SentObject) -> bool:
        """Whether an object that may have been sent has arrived; one that was sent has, if nobody answers."""
        held = connection.holds(sent)
        return delivery.history == "sent_before" if held is None else held

    def _postpone(
        self, delivery: Delivery, reason: str, *, rejected: bool = False, uncertain: bool = False
    ) -> None:
        self._metrics.send_errors.labels(self._label).inc()
        rejections = delivery.rejections + rejected
        late = time.time() - delivery.since > self._settings.give_up_hours * 3600
        if late or rejections >= MAX_REJECTIONS:
            self._give_up(delivery, reason)
            return
        pause_s = self._settings.pause_s(delivery.tries + 1)
        self._audit.write(
            "delivery_postponed",
            job=delivery.job,
            object=delivery.object,
            destination=self._label,
            reason=reason,
            tries=delivery.tries + 1,
            next_try_seconds=round(pause_s, 1),
        )
        self._queue.postpone(delivery, pause_s, rejected=rejected, uncertain=uncertain)

    def _give_up(self, delivery: Delivery, reason: str) -> None:
        self._audit.write(
            "delivery_failed",
            job=delivery.job,
            object=delivery.object,
            destination=self._label,
            reason=reason,
        )
        self._note_end(delivery, self._queue.fail_delivery(delivery))

    def _note_end(self, delivery: Delivery, outcome: JobState | None) -> None:
        if outcome is None:
            return
        job = self._queue.job(delivery.job)
        reason = job.reason if job is not None else ""
        self._audit.write("job_ended", job=delivery.job, outcome=outcome, reason=reason or None)
        self._metrics.studies.labels(outcome).inc()
        if outcome == "done":
            self._metrics.last_done.set_to_current_time()
