"""HTTP connections that cannot be held by sending nothing: a client must complete the head of its request in time."""

from __future__ import annotations

import asyncio
import resource
from contextlib import suppress
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_S = 10.0  # for the request line and the headers, from the first byte or from the connection
MOST_CONNECTIONS = 512  # then the oldest one that waits for a request is closed
_DESCRIPTORS = 4096


class GuardedProtocol(H11Protocol):
    """A connection with a time limit for the head of each request.

    Source: RFC 9110, 15.5.9 (408 Request Timeout); the attack is known as "slow loris".
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._timer: asyncio.TimerHandle | None = None
        self.since = self.loop.time()

    @property
    def awaits_request(self) -> bool:
        """Whether no request is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the time limit; close the oldest idle connection if there are too many."""
        super().connection_made(transport)
        self._watch()
        if len(self.connections) > MOST_CONNECTIONS:
            idle = [
                each
                for each in self.connections
                if isinstance(each, GuardedProtocol) and each.awaits_request
            ]
            min(idle, key=lambda each: each.since, default=self).transport.abort()

    def data_received(self, data: bytes) -> None:
        """Continue with a request."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the time limit."""
        self._stop_timer()
        super().connection_lost(exc)

    def _watch(self) -> None:
        """Limit the time while a request is incomplete, and only then."""
        if not self.awaits_request:
            self._stop_timer()
        elif self._timer is None:
            self.since = self.loop.time()
            self._timer = self.loop.call_later(HEAD_S, self._give_up)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._timer = None
        if self.awaits_request and not self.transport.is_closing():
            self.transport.abort()


def allow_many_connections() -> None:
    """Raise the limit of open files as far as the system allows it: each connection and upload is one."""
    with suppress(OSError, ValueError):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(_DESCRIPTORS, hard)
        if soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
