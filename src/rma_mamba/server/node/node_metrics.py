"""Metrics of the node for Prometheus."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from rma_mamba.conventions import software_version
from rma_mamba.errors import ConfigError
from rma_mamba.extras import require_extra

if TYPE_CHECKING:
    from rma_mamba.server.node.work_queue import WorkQueue

_PREFIX = "rma_mamba_"
_STATES = ("waiting", "segmenting", "delivering", "done", "failed", "ignored")
_SECONDS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800)


class _Uncounted:
    """In place of a counter or gauge."""

    def labels(self, *values: str) -> _Uncounted:
        return self

    def inc(self, amount: float = 1) -> None:
        pass

    def set(self, value: float) -> None:
        pass

    def observe(self, amount: float) -> None:
        pass

    def set_to_current_time(self) -> None:
        pass


class NoMetrics:
    """For services whose metrics nobody reads; it needs no library."""

    ready: Any = _Uncounted()
    received: Any = ready
    duplicates: Any = ready
    discarded: Any = ready
    rejected: Any = ready
    studies: Any = ready
    sent: Any = ready
    send_errors: Any = ready
    seconds: Any = ready
    last_done: Any = ready

    def serve(self, host: str, port: int) -> None:
        """Nothing is served."""

    def stop(self) -> None:
        """Nothing to stop."""


class NodeMetrics(NoMetrics):
    """Counters and gauges, in a registry of their own.

    Args:
        queue: The queue, whose lengths are read at each request.

    Raises:
        BackendError: The library is not installed.
    """

    def __init__(self, queue: WorkQueue) -> None:
        self._client = client = require_extra("prometheus_client", "dicom", "metrics")
        self._registry = client.CollectorRegistry()
        self._server: tuple[Any, threading.Thread] | None = None
        self._gauge("build", "Version of the program", ("version",)).labels(software_version()).set(
            1
        )
        self.ready = self._gauge("ready", "1 when the network is in memory")
        self.received = self._counter("images_received", "Images stored", ("caller",))
        self.duplicates = self._counter("images_repeated", "Images that were stored already")
        self.discarded = self._counter("objects_discarded", "Objects that are not CT or MR images")
        self.rejected = self._counter("rejected", "Associations and objects rejected", ("reason",))
        self.studies = self._counter("jobs", "Studies and scans by outcome", ("outcome",))
        self.sent = self._counter("objects_sent", "Objects delivered", ("object", "destination"))
        self.send_errors = self._counter("send_errors", "Failed attempts", ("destination",))
        self.seconds = client.Histogram(
            f"{_PREFIX}segmentation_seconds",
            "Time of segmentation, of reading and writing files",
            buckets=_SECONDS,
            registry=self._registry,
        )
        self.last_done = self._gauge("last_done_timestamp_seconds", "When a job was last completed")
        states = self._gauge("queue_jobs", "Studies and scans in the queue", ("state",))
        for state in _STATES:
            states.labels(state).set_function(lambda state=state: queue.counts().get(state, 0))
        self._gauge("queue_objects", "Objects still to be sent").set_function(
            lambda: sum(queue.unfinished_deliveries().values())
        )

    def _counter(self, name: str, text: str, labels: tuple[str, ...] = ()) -> Any:
        return self._client.Counter(f"{_PREFIX}{name}", text, labels, registry=self._registry)

    def _gauge(self, name: str, text: str, labels: tuple[str, ...] = ()) -> Any:
        return self._client.Gauge(f"{_PREFIX}{name}", text, labels, registry=self._registry)

    def serve(self, host: str, port: int) -> None:
        """Answer HTTP requests in a thread.

        Raises:
            ConfigError: The port is not free.
        """
        try:
            self._server = self._client.start_http_server(port, host, self._registry)
        except OSError as error:
            raise ConfigError(
                f"the metrics cannot listen on port {port} ({error.strerror or 'unknown address'}); expected a free "
                "port of this machine. Set 'metrics.port' to another port, or to \"none\"."
            ) from error

    def stop(self) -> None:
        """Stop to answer."""
        if self._server is not None:
            server, thread = self._server
            server.shutdown()
            server.server_close()
            thread.join()
