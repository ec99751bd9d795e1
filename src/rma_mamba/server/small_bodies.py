"""Limits of requests that are not files: they are small, and arrive at once."""

from __future__ import annotations

import asyncio
import re
from collections.abc import MutableMapping
from typing import Any

from rma_mamba.server.access_control import App, Receive, Scope, Send, reject

MOST_BYTES = 2**16
_SECONDS = 10.0
_FILES = re.compile(
    r"/api/(uploads|cases/[^/]+/(versions|masks|draft|tools/[^/]+))/?"
)  # limited elsewhere
_TOO_LARGE = "the request is larger than 64 KiB; expected a short one. Shorten the note."
_TOO_SLOW = "the request did not arrive in time; expected it at once. Send it again."


class SmallBodies:
    """ASGI middleware that receives small bodies before a route runs, up to a size and a time."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Receive the body of a request, and pass both on."""
        has_body = scope["type"] == "http" and scope["method"] in ("POST", "PUT", "PATCH")
        if not has_body or _FILES.fullmatch(scope["path"]):
            await self.app(scope, receive, send)
            return
        try:
            body = await asyncio.wait_for(_read(receive), _SECONDS)
        except TimeoutError:
            await reject(send, 408, _TOO_SLOW)
            return
        if body is None:
            await reject(send, 413, _TOO_LARGE)
            return
        pending: list[MutableMapping[str, Any]] = [{"type": "http.request", "body": body}]

        async def replay() -> MutableMapping[str, Any]:
            return pending.pop() if pending else await receive()

        await self.app(scope, replay, send)


async def _read(receive: Receive) -> bytes | None:
    """The body; None if it is too large."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MOST_BYTES:
            return None
        if message["type"] != "http.request" or not message.get("more_body"):
            return bytes(body)
