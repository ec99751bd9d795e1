"""The listener for C-STORE and C-ECHO (DICOM PS3.4 annexes A and B)."""

from __future__ import annotations

import logging
import shutil
import socket
import sqlite3
import ssl
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from socketserver import BaseServer
from typing import TYPE_CHECKING, Any, cast

from rma_mamba.errors import ConfigError
from rma_mamba.extras import require_extra
from rma_mamba.server.node.config import NodeConfig
from rma_mamba.server.node.connection_guard import (
    MAX_PDU_BYTES,
    NEGOTIATION_SECONDS,
    ConnectionGuard,
)
from rma_mamba.server.node.tls import server_context

if TYPE_CHECKING:
    from pynetdicom.events import Event
    from pynetdicom.transport import ThreadedAssociationServer

    from rma_mamba.server.node.audit_log import AuditLog
    from rma_mamba.server.node.node_metrics import NoMetrics
    from rma_mamba.server.node.study_store import StudyStore

# Status of C-STORE (DICOM PS3.4 B.2.3).
_SUCCESS, _OUT_OF_RESOURCES, _CANNOT_UNDERSTAND, _NOT_AUTHORISED = 0x0000, 0xA700, 0xC000, 0x0124

_CALLER_UNKNOWN = (
    1,
    1,
    3,
)  # A-ASSOCIATE-RJ: permanent, by the user, calling AE title not recognised
_TOO_MANY = (2, 3, 2)  # transient, by the presentation layer, local limit exceeded
_REJECTIONS = {3: "unknown caller", 7: "wrong called title"}
_IDLE_SECONDS = 60.0
_UNLIMITED = 10**6
_GIB = 2**30


class DimseListener:
    """Receives images and answers C-ECHO, in threads.

    Args:
        config: All settings.
        store: Where images go.
        metrics: Counters.
        audit: The audit log.

    Raises:
        BackendError: The library is not installed.
    """

    def __init__(
        self, config: NodeConfig, store: StudyStore, metrics: NoMetrics, audit: AuditLog
    ) -> None:
        require_extra("pynetdicom", "dicom", "the DICOM node")
        self._config, self._store, self._metrics, self._audit = config, store, metrics, audit
        self._server: ThreadedAssociationServer | None = None
        self._received: Counter[Any] = Counter()

    def start(self) -> None:
        """Listen.

        Raises:
            ConfigError: The port is not free, or a certificate is invalid.
        """
        from pynetdicom import _config as library
        from pynetdicom import evt

        for name in ("pynetdicom", "pydicom"):  # they quote elements of the images
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        library.STORE_RECV_CHUNKED_DATASET = True  # a large object is not held in memory
        listener = self._config.listener
        guard = ConnectionGuard()
        handlers: list[tuple[Any, Callable[[Event], Any]]] = [
            (evt.EVT_CONN_OPEN, guard.opened),
            (evt.EVT_REQUESTED, guard.spoke),
            (evt.EVT_CONN_CLOSE, guard.spoke),
            (evt.EVT_REQUESTED, self._check_caller),
            (evt.EVT_REJECTED, self._note_rejection),
            (evt.EVT_C_STORE, self._receive),
            (evt.EVT_C_ECHO, lambda event: _SUCCESS),
            (evt.EVT_CONN_CLOSE, self._note_end),
        ]
        try:
            self._server = self._entity().make_server(
                (listener.host, listener.port),
                ssl_context=server_context(listener.tls) if listener.tls else None,
                evt_handlers=handlers,
                server_class=_server_class(),
            )
        except OSError as error:
            raise ConfigError(
                f"the node cannot listen on port {listener.port} ({error.strerror or 'unknown address'}); expected a "
                "free port and an address of this machine. Correct 'listener.host' or 'listener.port'."
            ) from error
        self._server.contexts = _SharedContexts(self._server.contexts)
        tempfile.tempdir = str(self._store.receiving)  # the library has no setting for the folder
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Accept no more associations, and abort those that are open: their senders send again."""
        if self._server is not None:
            self._server.shutdown()
            for association in self._server.ae.active_associations:
                if association.is_established:
                    association.abort()

    def _entity(self) -> Any:
        from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts
        from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

        listener = self._config.listener
        entity = AE(listener.ae_title)
        entity.require_called_aet = True
        entity.maximum_associations = _UNLIMITED  # see _check_caller
        entity.maximum_pdu_size = MAX_PDU_BYTES  # few, large packets
        entity.acse_timeout = NEGOTIATION_SECONDS
        entity.dimse_timeout = entity.network_timeout = _IDLE_SECONDS
        entity.add_supported_context(Verification)
        # of every object, so that an archive can send whole studies; what is not an image is discarded
        for context in AllStoragePresentationContexts:
            if context.abstract_syntax is not None:
                entity.add_supported_context(context.abstract_syntax, ALL_TRANSFER_SYNTAXES)
        return entity

    def _check_caller(self, event: Event) -> None:
        """Reject an association before it is negotiated, unless its caller is allowed."""
        title, address = _caller(event)
        if not any(each.allows(title, address) for each in self._config.callers):
            self._reject("unknown caller", event)
            event.assoc.acse.send_reject(*_CALLER_UNKNOWN)
            event.assoc.kill()
        elif self._established(event) >= self._config.listener.max_associations:
            self._reject("too many associations", event)
            event.assoc.acse.send_reject(*_TOO_MANY)
            event.assoc.kill()

    def _established(self, event: Event) -> int:
        """Number of associations; the library would count connections that say nothing, too."""
        active = event.assoc.ae.active_associations
        return sum(each.is_acceptor and each.is_established for each in active)

    def _note_rejection(self, event: Event) -> None:
        """An association that the library rejected."""
        answer = event.assoc.acceptor.primitive
        reason = getattr(answer, "diagnostic", None)
        self._reject(_REJECTIONS.get(reason or 0, "too many associations"), event)

    def _reject(self, reason: str, event: Event) -> None:
        title, address = _caller(event)
        self._metrics.rejected.labels(reason).inc()
        self._audit.write("association_rejected", reason=reason, caller=title, address=address)

    def _receive(self, event: Event) -> int:
        """Store an image, and return the status of C-STORE."""
        title, address = _caller(event)
        if not any(each.allows(title, address) for each in self._config.callers):
            return _NOT_AUTHORISED
        try:
            free = shutil.disk_usage(self._store.folder).free
            if free < self._config.listener.min_free_gb * _GIB:
                return self._no_space(title)
            reception = self._store.receive(event.dataset_path, event.assoc)
        except (OSError, sqlite3.OperationalError):
            return self._no_space(title)
        self._received[event.assoc] += reception == "stored"
        if reception == "stored":
            self._metrics.received.labels(title).inc()
        elif reception == "repeated":
            self._metrics.duplicates.inc()
        elif reception == "discarded":
            self._metrics.discarded.inc()
        else:
            self._metrics.rejected.labels("not a DICOM image").inc()
            self._audit.write("object_rejected", reason="cannot be read", caller=title)
            return _CANNOT_UNDERSTAND
        return _SUCCESS

    def _no_space(self, title: str) -> int:
        self._metrics.rejected.labels("no space").inc()
        with suppress(OSError):  # there may be none for the log either
            self._audit.write("object_rejected", reason="no space on the disk", caller=title)
        return _OUT_OF_RESOURCES

    def _note_end(self, event: Event) -> None:
        self._store.sender_left(event.assoc)
        count = self._received.pop(event.assoc, 0)
        if count:
            title, address = _caller(event)
            self._audit.write("images_received", caller=title, address=address, images=count)


class _SharedContexts(list[Any]):
    """The contexts of all connections: the library, which only reads them, would spend 0.1 s on a copy for each."""

    def __deepcopy__(self, memo: dict[int, Any]) -> list[Any]:
        return list(self)


def _caller(event: Event) -> tuple[str, str]:
    """AE title and address of the caller."""
    requestor = event.assoc.requestor
    title = requestor.primitive.calling_ae_title if requestor.primitive else requestor.ae_title
    return str(title or "").strip(), str(requestor.address)


def _server_class() -> type[ThreadedAssociationServer]:
    """A server whose TLS handshakes run in threads: a silent client does not keep others from connecting."""
    from pynetdicom.transport import ThreadedAssociationServer as Threaded

    class Server(Threaded):
        request_queue_size = 128  # connections that wait to be accepted

        def shutdown(self) -> None:
            BaseServer.shutdown(self)
            self.server_close()

        def get_request(self) -> Any:
            connection, address = cast("socket.socket", self.socket).accept()
            if self.ssl_context is not None:
                connection = self.ssl_context.wrap_socket(
                    connection, server_side=True, do_handshake_on_connect=False
                )
            return connection, address

        def process_request_thread(self, request: Any, client_address: Any) -> None:
            if isinstance(request, ssl.SSLSocket):
                before = request.gettimeout()
                try:
                    request.settimeout(NEGOTIATION_SECONDS)
                    request.do_handshake()
                    request.settimeout(before)
                except OSError:  # no TLS, or no certificate that is trusted
                    request.close()
                    return
            super().process_request_thread(request, client_address)

    return Server
