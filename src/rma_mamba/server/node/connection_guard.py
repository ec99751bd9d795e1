"""Connections that cannot hold the listener: who says nothing, or never ends a sentence, gives way to others."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pynetdicom.events import Event

MAX_PDU_BYTES = 2**20  # what the listener announces; longer ones would fill the memory
NEGOTIATION_SECONDS = 15.0
MOST_SILENT = 16  # connections without a request for an association, each of which costs time
_HEADER_BYTES = 64  # of a PDU and its items, which the announced length does not include


class ConnectionGuard:
    """Closes connections that request no association in time, and those that send longer PDUs than were agreed.

    Handlers of events of the library, for the connections of one listener.
    """

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._silent: dict[Any, threading.Timer] = {}  # by association, the oldest first

    def opened(self, event: Event) -> None:
        """A connection was accepted."""
        association = event.assoc
        _limit_pdus(association.dul.socket)
        timer = threading.Timer(NEGOTIATION_SECONDS, _close, (association,))
        timer.daemon = True
        with self._mutex:
            self._silent[association] = timer
            loser = self._one_too_many()
            overdue = self._silent.pop(loser, None)
        timer.start()
        if overdue is not None:
            overdue.cancel()
            _close(loser)

    def _one_too_many(self) -> Any:
        """The oldest connection of the address that has most of them; None if there are not too many."""
        if len(self._silent) <= MOST_SILENT:
            return None
        addresses = {each: str(each.requestor.address) for each in self._silent}
        [(busiest, _)] = Counter(addresses.values()).most_common(1)
        return next(each for each, address in addresses.items() if address == busiest)

    def spoke(self, event: Event) -> None:
        """A connection requested an association, or was closed."""
        self._forget(event.assoc)

    def _forget(self, association: Any) -> None:
        with self._mutex:
            timer = self._silent.pop(association, None)
        if timer is not None:
            timer.cancel()


def _limit_pdus(connection: Any) -> None:
    receive = connection.recv

    def receive_limited(size: int) -> Any:
        if size > MAX_PDU_BYTES + _HEADER_BYTES:
            _shut(connection)
            raise OSError("the PDU is too long")
        return receive(size)

    connection.recv = receive_limited


def _close(association: Any) -> None:
    """Close a connection; its association notices it, and ends."""
    if association.dul.socket is not None:
        _shut(association.dul.socket)


def _shut(connection: Any) -> None:
    if connection.socket is not None:
        with suppress(OSError):
            connection.socket.shutdown(socket.SHUT_RDWR)
