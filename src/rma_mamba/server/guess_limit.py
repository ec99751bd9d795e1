"""Delays after wrong passwords and tokens: guessing is slow for each client, and no other client notices it.

The first few attempts of a client are free; further ones are spaced (the generic cell rate algorithm, ITU-T I.371).
An attempt waits for its turn, so that the right password still opens the viewer after a flood of wrong ones. If too
many wait already, it is answered at once, because connections that wait are a burden too. Nobody is locked out for
longer than the flood lasts.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from ipaddress import IPv6Address, ip_address

_FREE = 5  # attempts without a delay
_INTERVAL_S = 2.0  # between further attempts
LONGEST_WAIT_S = 10.0
_MOST_CLIENTS = 4096  # that are remembered


class GuessLimit:
    """The attempts of clients.

    Args:
        free: Number of attempts of a client without a delay.
        clock: Seconds.
    """

    def __init__(self, free: int = _FREE, clock: Callable[[], float] = time.monotonic) -> None:
        self._free, self._clock = free, clock
        self._next: dict[str, float] = {}  # when a client may try again, as if no attempt were free

    def delay_s(self, client: str) -> float | None:
        """How long the next attempt of a client has to wait, which is counted; None: too many wait already."""
        now = self._clock()
        due = max(now, self._next.pop(client, now))
        delay = max(0.0, due - now - (self._free - 1) * _INTERVAL_S)
        is_taken = delay <= LONGEST_WAIT_S
        self._next[client] = due + _INTERVAL_S * is_taken  # the last one in the dictionary
        if len(self._next) > _MOST_CLIENTS:
            del self._next[next(iter(self._next))]  # whoever has not tried for longest
        return delay if is_taken else None

    async def wait(self, client: str) -> bool:
        """Wait for the turn of a client; False, at once, if too many attempts of it wait already."""
        delay = self.delay_s(client)
        if delay:
            await asyncio.sleep(delay)
        return delay is not None

    def forget(self, client: str) -> None:
        """A client knew the secret: its failures no longer count."""
        self._next.pop(client, None)


def client_address(peer: str, headers: Mapping[str, str], proxies: Collection[str]) -> str:
    """Whom a request comes from: the other end of the connection, or whom a trusted proxy names there.

    Args:
        peer: Address of the other end.
        headers: Headers of the request, by name in lower case.
        proxies: Addresses of trusted reverse proxies; what others claim is not believed.

    Returns:
        The address; of an IPv6 address the network (/64), all of which belongs to one client.
    """
    hops = [each.strip() for each in headers.get("x-forwarded-for", "").split(",") if each.strip()]
    found = peer
    while found in proxies and hops:
        found = hops.pop()
    try:
        address = ip_address(found)
    except ValueError:
        return peer
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return ":".join(address.exploded.split(":")[:4])
    return str(address)
