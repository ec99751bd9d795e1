"""The node: listener, segmentation, delivery and metrics, which share one queue."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from rma_mamba.errors import BackendError, is_disk_full
from rma_mamba.pipeline.isolated_process import IsolatedProcess, ProcessDiedError
from rma_mamba.pipeline.messages import Messages
from rma_mamba.pipeline.pseudonyms import Pseudonyms
from rma_mamba.pipeline.request import NetworkOptions, ReadOptions, SegmentRequest
from rma_mamba.server.node.audit_log import AuditLog
from rma_mamba.server.node.config import DeliveryConfig, DestinationConfig, NodeConfig
from rma_mamba.server.node.delivery import Deliverer, open_destination
from rma_mamba.server.node.dimse_listener import DimseListener
from rma_mamba.server.node.node_metrics import NodeMetrics, NoMetrics
from rma_mamba.server.node.results_to_send import RejectedError, UnreachableError
from rma_mamba.server.node.study_store import StudyStore
from rma_mamba.server.node.study_task import Segmented, StudyTask, load_network, segment_study
from rma_mamba.server.node.work_loop import Source, WorkLoop
from rma_mamba.server.node.work_queue import Job, WorkQueue

_CLEANING_SECONDS = 60.0
_FULL_PAUSE_SECONDS = 10.0
_STOPPING_SECONDS = 0.5
_POLL_SECONDS = 0.2
_CONNECTED_FACTOR = 4  # not unlimited: archives keep connections open that they no longer use
_AUDIT_LOG, _PSEUDONYM_KEY = "audit.jsonl", "pseudonyms.key"


class Service:
    """The queue with what works on it: one thread for segmentation, and one for each destination.

    Args:
        folder: Folder of the queue.
        destinations: Where results are sent.
        delivery: Retries.
        ae_title: AE title of this side.
        metrics: Counters, for a queue; None: nothing is counted.

    Raises:
        ConfigError: The folder cannot be used, or a setting of a destination is invalid.
        BackendError: A library is not installed.
    """

    def __init__(
        self,
        folder: Path,
        destinations: Sequence[DestinationConfig],
        delivery: DeliveryConfig,
        ae_title: str,
        metrics: Callable[[WorkQueue], NoMetrics] = lambda queue: NoMetrics(),
    ) -> None:
        self.queue = WorkQueue(folder)
        self.audit = AuditLog(folder / _AUDIT_LOG)
        self.metrics = metrics(self.queue)
        self.process = IsolatedProcess()
        self.recipients: dict[str, Sequence[str]] = {
            each.label: each.objects for each in destinations
        }
        self._failure: BaseException | None = None
        self._waits_for_space = True
        self._deliverers = [
            Deliverer(
                each.label,
                open_destination(each, ae_title, delivery.timeout_seconds),
                *(delivery, self.queue, self.metrics, self.audit),
            )
            for each in destinations
        ]

    def load(self, network: NetworkOptions, stop: threading.Event) -> None:
        """Load the network, unless `stop` is set meanwhile.

        Raises:
            WeightsError, BackendError: It cannot run.
        """
        ended = threading.Event()

        def end_early() -> None:
            while not ended.wait(_POLL_SECONDS):
                if stop.is_set():
                    self.process.stop()

        threading.Thread(target=end_early, daemon=True).start()
        try:
            self.process.call(load_network, SegmentRequest(network))
        except ProcessDiedError:
            if stop.is_set():
                return
            raise BackendError(
                "the process that holds the network ended while loading it; expected enough memory. "
                "Close other programs, or choose a smaller model."
            ) from None
        finally:
            ended.set()
        self.metrics.ready.set(1)

    def run(
        self,
        source: Source,
        max_tries: int,
        stop: threading.Event,
        tick: Callable[[], None] = lambda: None,
        on_end: Callable[[Job, str], None] = lambda job, text: None,
        *,
        waits_for_space: bool = True,
    ) -> None:
        """Work until `stop` is set.

        Args:
            source: Where the scans are.
            max_tries: A job fails after this many crashes.
            stop: Ends everything.
            tick: Called a few times per second, in this thread.
            on_end: Called with each job that ended without being sent, and why it failed.
            waits_for_space: Whether work goes on when a disk that is full has space again; else it fails.

        Raises:
            Exception: As raised in a thread.
        """
        self._waits_for_space = waits_for_space
        self.queue.recover()
        loop = WorkLoop(
            *(self.queue, source, self.process, self.recipients, max_tries),
            *(self.metrics, self.audit, on_end),
            waits_for_space=waits_for_space,
        )
        workers = [loop.run, *(each.run for each in self._deliverers)]
        threads = [
            threading.Thread(target=self._guarded, args=(work, stop), daemon=True)
            for work in workers
        ]
        for thread in threads:
            thread.start()
        try:
            while not stop.wait(_POLL_SECONDS):
                self._tick(tick)
        finally:
            stop.set()
            for thread in threads:
                while thread.is_alive():
                    self.process.stop()  # also one that a task has just started
                    thread.join(_STOPPING_SECONDS)
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """Release the folder."""
        self.process.stop()
        self.queue.close()

    def _tick(self, tick: Callable[[], None]) -> None:
        try:
            tick()
        except (OSError, sqlite3.Error) as error:
            if not (is_disk_full(error) and self._waits_for_space):
                raise

    def _guarded(self, work: Callable[[threading.Event], None], stop: threading.Event) -> None:
        """A thread that fails ends the service, which is then started again, instead of half of it.

        One that fails because the disk is full begins again: what it was doing is in the queue.
        """
        while not stop.is_set():
            try:
                work(stop)
            except BaseException as error:
                if is_disk_full(error) and self._waits_for_space:
                    stop.wait(_FULL_PAUSE_SECONDS)
                    continue
                self._failure = error
                stop.set()


class StudySource:
    """Received studies.

    Args:
        config: All settings.
        store: Their images.
    """

    def __init__(self, config: NodeConfig, store: StudyStore) -> None:
        self._listener, self._rules, self._store = config.listener, config.rules, store
        reading = ReadOptions(strict=config.segmentation.strict)
        self._request = SegmentRequest(
            config.segmentation.network, reading, config.objects, resume=True
        )

    def is_ready(self, job: Job) -> bool:
        """Whether no image has arrived for a while; longer if some arrived too late for the first segmentation."""
        first = min(self._listener.start_seconds, self._listener.quiet_seconds)
        pause_s = first if job.round == 1 else self._listener.quiet_seconds
        return self._store.quiet_s(job.key) >= pause_s

    def is_complete(self, job: Job) -> bool:
        """Whether no more images are expected: the wait is longer while a sender of the study is still connected."""
        factor = _CONNECTED_FACTOR if self._store.has_sender(job.key) else 1
        return self._store.quiet_s(job.key) >= factor * self._listener.quiet_seconds

    def segment(self, job: Job, process: IsolatedProcess) -> list[Segmented]:
        """Segment a study; errors as in the protocol."""
        images, results = self._store.images(job.key), self._store.results(job.key)
        task = StudyTask(images, results, self._request, self._rules)
        return process.call(segment_study, task)


class Node:
    """`rma-mamba node`.

    Args:
        config: All settings.
        messages: Receives what the operator should know.

    Raises:
        ConfigError: The folder cannot be used, or a setting is invalid.
        BackendError: A library is not installed.
    """

    def __init__(self, config: NodeConfig, messages: Messages) -> None:
        self._config, self._messages = config, messages
        listener = config.listener
        self.service = Service(
            *(listener.folder, config.destinations, config.delivery, listener.ae_title),
            metrics=NodeMetrics,
        )
        self._store = open_store(self.service.queue)
        self._listener = DimseListener(
            config, self._store, self.service.metrics, self.service.audit
        )
        self._cleaned = 0.0

    def run(self, stop: threading.Event, *, retry: bool = False) -> None:
        """Receive, segment and send until `stop` is set.

        Args:
            stop: Ends everything.
            retry: Try failed studies again.

        Raises:
            ConfigError: A port is not free.
            WeightsError, BackendError: The network cannot run.
        """
        config, service = self._config, self.service
        with ExitStack() as ending:
            ending.callback(service.close)
            if config.metrics.port is not None:
                service.metrics.serve(config.metrics.host, config.metrics.port)
                ending.callback(service.metrics.stop)
            self._messages.warn(warnings_about(config))
            self._store.add_lost_jobs()
            for job in service.queue.jobs("failed") if retry else ():
                service.queue.reopen(job.key)
            self._listener.start()  # images wait while the network is loaded
            ending.callback(self._listener.stop)
            service.load(config.segmentation.network, stop)
            service.audit.write("started", version=_version())
            listener = config.listener
            self._messages.note(
                f"{listener.ae_title} listens on {listener.host}:{listener.port}; results go to "
                f"{', '.join(service.recipients)}. Stop it with Ctrl-C."
            )
            source = StudySource(config, self._store)
            service.run(source, config.segmentation.max_tries, stop, self._clean)
            service.audit.write("stopped")

    def _clean(self) -> None:
        """Remove what has been completed for long enough."""
        now = time.time()
        if now - self._cleaned < _CLEANING_SECONDS:
            return
        self._cleaned = now
        self._store.remove_abandoned()
        for job in self.service.queue.jobs("done", "ignored"):
            if now - job.changed > self._config.listener.keep_hours * 3600:
                self._store.remove(job.key)
                self.service.audit.write("removed", job=job.key)


def open_store(queue: WorkQueue) -> StudyStore:
    """The studies in the folder of a queue."""
    return StudyStore(queue, Pseudonyms(queue.folder / _PSEUDONYM_KEY))


def warnings_about(config: NodeConfig) -> list[str]:
    """What an operator should know about the settings, one sentence each."""
    listener, found = config.listener, []
    if not listener.is_local and listener.tls is None:
        found.append(
            "The node accepts connections of other machines without TLS: everyone in this network can read the images."
        )
    if any(each.ae_title == "*" and each.host is None for each in config.callers):
        found.append("Every caller is allowed: the node accepts images from anyone.")
    if config.metrics.port is not None and config.metrics.host not in (
        "127.0.0.1",
        "::1",
        "localhost",
    ):
        found.append("The metrics can be read from other machines.")
    return found


def check_destinations(config: NodeConfig) -> dict[str, str]:
    """Ask each destination whether it answers (C-ECHO or QIDO-RS): "" or the problem, by label.

    Raises:
        ConfigError: A setting of a destination is invalid.
        BackendError: A library is not installed.
    """
    found = {}
    for each in config.destinations:
        destination = open_destination(
            each, config.listener.ae_title, config.delivery.timeout_seconds
        )
        try:
            destination.echo()
            found[each.label] = ""
        except (UnreachableError, RejectedError) as error:
            found[each.label] = str(error)
    return found


def _version() -> str:
    from rma_mamba.conventions import software_version

    return software_version()
