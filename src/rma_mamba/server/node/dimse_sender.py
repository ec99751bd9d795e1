"""Send objects by C-STORE, and ask by C-FIND which the archive has (DICOM PS3.4 annexes B and C)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rma_mamba.extras import require_extra
from rma_mamba.scans.dicom_exchange import instance_query
from rma_mamba.server.node.config import DestinationConfig
from rma_mamba.server.node.results_to_send import (
    NotNowError,
    RejectedError,
    SentObject,
    UnreachableError,
)
from rma_mamba.server.node.tls import client_context

if TYPE_CHECKING:
    from pynetdicom.association import Association

_SUCCESS, _PENDING = 0x0000, (0xFF00, 0xFF01)
_WARNINGS = range(0xB000, 0xC000)  # stored, with a remark
_NOT_NOW = (0x0124, *range(0xA700, 0xA800))  # not authorised, out of resources


# Explicit and Implicit VR Little Endian, between which the library converts. It would offer Big Endian as well,
# which an archive may prefer, and into which it does not convert.
_SYNTAXES = ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2"]


class DimseDestination:
    """An archive with an AE title.

    Args:
        config: Its address.
        ae_title: AE title of this node.
        timeout_s: Longest time to wait for an answer.

    Raises:
        BackendError: The library is not installed.
        ConfigError: A certificate cannot be used.
    """

    def __init__(self, config: DestinationConfig, ae_title: str, timeout_s: float) -> None:
        require_extra("pynetdicom", "dicom", "sending by C-STORE")
        self._config, self._ae_title, self._timeout_s = config, ae_title, timeout_s
        self._context = client_context(config.tls) if config.tls else None

    def connect(self, objects: Sequence[SentObject]) -> DimseConnection:
        """Open an association for the SOP classes of the objects; errors as in the protocol."""
        from pynetdicom.sop_class import (  # type: ignore[attr-defined]
            StudyRootQueryRetrieveInformationModelFind as Find,
        )

        classes = dict.fromkeys(each.sop_class for each in objects)
        return DimseConnection(self._associate([*classes, Find]))

    def echo(self) -> None:
        """C-ECHO; errors as in the protocol."""
        from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

        association = self._associate([Verification])
        try:
            status = association.send_c_echo()
        except (RuntimeError, ValueError) as error:
            raise UnreachableError("the association was lost") from error
        finally:
            association.release()
        if getattr(status, "Status", None) != _SUCCESS:
            raise UnreachableError("no answer to C-ECHO")

    def _associate(self, classes: Sequence[str]) -> Association:
        from pynetdicom import AE, evt
        from pynetdicom.pdu import A_ASSOCIATE_RJ

        entity = AE(self._ae_title)
        entity.connection_timeout = entity.acse_timeout = self._timeout_s
        entity.dimse_timeout = entity.network_timeout = self._timeout_s
        for each in classes:
            entity.add_requested_context(each, _SYNTAXES)
        host, tls = str(self._config.host), None
        received: list[Any] = []
        if self._context is not None:
            tls = (self._context, host)
        try:
            association = entity.associate(
                host,
                self._config.port,
                ae_title=str(self._config.ae_title),
                max_pdu=0,
                tls_args=tls,
                evt_handlers=[(evt.EVT_PDU_RECV, lambda event: received.append(event.pdu))],
            )
        except OSError as error:
            raise UnreachableError("the name of the host cannot be resolved") from error
        if association.is_established:
            return association
        transport = association.dul.socket
        if transport is not None and transport.socket is not None:
            transport.socket.close()  # the library leaves it open
        # where the archive closes the connection at once, the library may miss that it was rejected
        if any(isinstance(each, A_ASSOCIATE_RJ) for each in received):
            raise RejectedError("the association was rejected: check the AE titles on both sides")
        raise UnreachableError("no association: check address, port and TLS")


class DimseConnection:
    """An association."""

    def __init__(self, association: Association) -> None:
        self._association = association

    def send(self, sent: SentObject) -> None:
        """C-STORE; errors as in the protocol."""
        accepted = {context.abstract_syntax for context in self._association.accepted_contexts}
        if not self._association.is_established:
            raise UnreachableError("the association was lost")
        if sent.sop_class not in accepted:
            raise RejectedError(f"objects of the SOP class {sent.sop_class} are not accepted")
        try:
            status = self._association.send_c_store(sent.path)
        except (RuntimeError, ValueError, OSError) as error:
            raise UnreachableError("the association was lost") from error
        code = getattr(status, "Status", None)
        if code is None:
            raise UnreachableError("the association was lost")
        if code in _NOT_NOW:
            raise NotNowError(f"C-STORE status 0x{code:04X}")
        if code != _SUCCESS and code not in _WARNINGS:
            raise RejectedError(f"C-STORE status 0x{code:04X}")

    def holds(self, sent: SentObject) -> bool | None:
        """C-FIND of the instance."""
        query = instance_query(sent.study, sent.series, sent.instance)
        return self._found(query)

    def _found(self, query: Any) -> bool | None:
        from pynetdicom.sop_class import (  # type: ignore[attr-defined]
            StudyRootQueryRetrieveInformationModelFind as Find,
        )

        found = False
        try:
            for status, _ in self._association.send_c_find(query, Find):
                code = getattr(status, "Status", None)
                found = found or code in _PENDING
                if code not in (_SUCCESS, *_PENDING):
                    return None
        except (RuntimeError, ValueError):  # the archive does not accept queries
            return None
        return found

    def close(self) -> None:
        """Release the association."""
        if self._association.is_established:
            self._association.release()
