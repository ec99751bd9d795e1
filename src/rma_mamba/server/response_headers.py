"""Headers of every response: what a page of this server may load (nothing from elsewhere), and what caches may keep."""

from __future__ import annotations

from collections.abc import MutableMapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from rma_mamba.server.access_control import App, Receive, Scope, Send

# 'wasm-unsafe-eval' and blob: workers are for the viewer's decoders; no script in a page, and none of another origin.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "font-src 'self' data:",
        "connect-src 'self' blob: data:",
        "worker-src 'self' blob:",
        "manifest-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",  # with "no-referrer", browsers send the login form with "Origin: null"
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cache-control": "no-store",  # scans do not remain in the cache of a browser
}


_HSTS = b"strict-transport-security", b"max-age=31536000"


class ResponseHeaders:
    """ASGI middleware that adds these headers to every response that does not have them.

    Over TLS, browsers are told to use nothing else (HSTS, RFC 6797), if the server is at the usual port of a name. The
    rule holds for all ports of a name, so it would make other services of this machine unreachable.
    """

    def __init__(self, app: App, *, tls: bool = False) -> None:
        self.app, self._tls = app, tls
        self._headers = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and complete its response."""
        headers = list(self._headers)
        if self._tls and scope["type"] == "http" and has_name_and_usual_port(_host(scope)):
            headers.append(_HSTS)

        async def complete(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message.get("headers", [])}
                new = [each for each in headers if each[0] not in present]
                message["headers"] = [*message.get("headers", []), *new]
            await send(message)

        await self.app(scope, receive, complete)


def has_name_and_usual_port(host: str) -> bool:
    """Whether a header Host is a name, not an address or this machine, with the port of https."""
    try:
        split = urlsplit(f"//{host}")
        name, port = split.hostname or "", split.port
    except ValueError:
        return False
    if port not in (None, 443) or name in ("", "localhost") or name.endswith(".localhost"):
        return False
    try:
        ip_address(name)
    except ValueError:
        return True
    return False


def _host(scope: Scope) -> str:
    found = [value for name, value in scope["headers"] if name.lower() == b"host"]
    return found[0].decode("latin-1") if found else ""
