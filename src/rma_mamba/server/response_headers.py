"""Headers of every response: what a page of this server may load (nothing from elsewhere), and what caches may keep."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

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


class ResponseHeaders:
    """ASGI middleware that adds these headers to every response that does not have them."""

    def __init__(self, app: App, *, tls: bool = False) -> None:
        more = {"strict-transport-security": "max-age=31536000"} if tls else {}
        self.app = app
        self._headers = [(k.encode(), v.encode()) for k, v in (_HEADERS | more).items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and complete its response."""

        async def complete(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message.get("headers", [])}
                new = [each for each in self._headers if each[0] not in present]
                message["headers"] = [*message.get("headers", []), *new]
            await send(message)

        await self.app(scope, receive, complete)
