"""Who may use the server: the check of every request, before any route sees it.

A page of another site in the same browser can send requests to this server: with a name that leads to this machine
(DNS rebinding) or blindly (CSRF). So each request must name this server as its host, requests that change something
must come from its own pages, and all must carry a secret that other sites do not know.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from rma_mamba.server.guess_limit import LONGEST_WAIT_S, GuessLimit, client_address

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

TOKEN_BYTES = 32
_SAFE = ("GET", "HEAD", "OPTIONS")
_OPEN_PATHS = ("/login", "/login.css", "/icon.svg")
_FREE_TOKENS = 20  # wrong ones without a delay: a page that was left open asks several times
_SESSION_S = 7 * 24 * 3600

_WRONG_HOST = "the request is for another host; expected the address that rma-mamba serve printed. Open that address."
_WRONG_ORIGIN = "the request comes from a page of another site; expected a page of this server. Open the viewer itself."
_TOO_MANY = "too many wrong tokens from this address; expected the link that rma-mamba serve printed. Open that link."
_NO_SESSION = "the request has no valid token; expected the link that rma-mamba serve printed. Open that link."


@dataclass(frozen=True)
class AccessRules:
    """Who may use the server.

    Args:
        token: The secret in the link that is opened.
        hosts: Values of the header Host that name this server, in lower case.
        scheme: http or https.
        password: A password for the login page; None: there is no login.
        proxy_header: Header in which a reverse proxy names the user whom it has authenticated; None: there is no proxy.
        proxies: Addresses of the reverse proxy; it is also believed whom a request comes from (X-Forwarded-For).
    """

    token: str = field(default_factory=lambda: secrets.token_urlsafe(TOKEN_BYTES), repr=False)
    hosts: frozenset[str] = frozenset()
    scheme: str = "http"
    password: str | None = field(default=None, repr=False)
    proxy_header: str | None = None
    proxies: frozenset[str] = frozenset({"127.0.0.1", "::1"})

    @property
    def session(self) -> str:
        """The value of the cookie: it does not reveal the token."""
        return hmac.new(self.token.encode(), b"session", hashlib.sha256).hexdigest()

    @property
    def cookie_name(self) -> str:
        """Browsers send cookies to all ports of a host, so that two servers need two names."""
        digest = hashlib.sha256(self.token.encode()).hexdigest()[:8]
        return f"rma-mamba-{digest}"

    @property
    def cookie(self) -> str:
        """The header that starts a session in a browser."""
        limits = f"Path=/; HttpOnly; SameSite=Strict; Max-Age={_SESSION_S}"
        return f"{self.cookie_name}={self.session}; {limits}{self.secure}"

    @property
    def secure(self) -> str:
        """The attribute of cookies that are sent over TLS only."""
        return "; Secure" if self.scheme == "https" else ""

    def is_token(self, text: str) -> bool:
        """Whether a text is the token, compared in constant time."""
        return secrets.compare_digest(text.encode(), self.token.encode())


class AccessControl:
    """ASGI middleware that rejects requests from elsewhere and without a session."""

    def __init__(self, app: App, rules: AccessRules) -> None:
        self.app, self.rules = app, rules
        self._guesses = GuessLimit(_FREE_TOKENS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check a request, and pass it on."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = headers_of(scope)
        if headers.get("host", "").lower() not in self.rules.hosts:
            await reject(send, 421, _WRONG_HOST)
        elif not self._is_own_origin(scope["method"], headers):
            await reject(send, 403, _WRONG_ORIGIN)
        elif location := self._login_by_link(scope):
            await _redirect(send, location, self.rules.cookie)
        elif self._has_session(scope, headers) or self._is_open(scope):
            await self.app(scope, receive, send)
        elif self.rules.password and scope["path"] == "/":
            await _redirect(send, "/login")
        elif self._is_guess(scope, headers) and not await self._guesses.wait(
            client_of(scope, headers, self.rules)
        ):
            await reject(send, 429, _TOO_MANY, retry_s=LONGEST_WAIT_S)
        else:
            await reject(send, 401, _NO_SESSION, as_page="text/html" in headers.get("accept", ""))

    def _is_own_origin(self, method: str, headers: dict[str, str]) -> bool:
        """Whether a request that changes something comes from a page of this server, or from no page at all."""
        origin, site = headers.get("origin"), headers.get("sec-fetch-site", "same-origin")
        if origin is not None:
            schemes = {self.rules.scheme} | ({"https"} if self.rules.proxy_header else set())
            return origin in {f"{scheme}://{headers['host']}" for scheme in schemes}
        return method in _SAFE or site in ("same-origin", "none")

    def _login_by_link(self, scope: Scope) -> str | None:
        """Where to go after a valid token in the address, so that it does not stay there."""
        query = parse_qs(scope["query_string"].decode("latin-1"))
        token = query.pop("token", [""])[-1]
        if scope["path"] != "/" or scope["method"] != "GET" or not self.rules.is_token(token):
            return None
        return "/" + (f"?{urlencode(query, doseq=True)}" if query else "")

    def _has_session(self, scope: Scope, headers: dict[str, str]) -> bool:
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.rules.is_token(bearer.strip()):
            return True
        if self.rules.proxy_header is not None:
            client = (scope.get("client") or ("",))[0]
            if client in self.rules.proxies and headers.get(self.rules.proxy_header):
                return True
        session = _cookies(headers.get("cookie", "")).get(self.rules.cookie_name, "")
        return secrets.compare_digest(session.encode(), self.rules.session.encode())

    def _is_guess(self, scope: Scope, headers: dict[str, str]) -> bool:
        """Whether a request has a secret, which is wrong."""
        has_cookie = self.rules.cookie_name in _cookies(headers.get("cookie", ""))
        return has_cookie or "authorization" in headers or b"token=" in scope["query_string"]

    def _is_open(self, scope: Scope) -> bool:
        return self.rules.password is not None and scope["path"] in _OPEN_PATHS


def host_names(host: str, port: int, others: tuple[str, ...] = ()) -> frozenset[str]:
    """Values of the header Host for an address, and for other names of this server.

    Args:
        host: The address to which the server is bound.
        port: Its port.
        others: Names under which it is reached, with a port if that differs: "viewer.example.org:8443".
    """
    local = ("127.0.0.1", "localhost", "::1") if host in ("127.0.0.1", "::1", "localhost") else ()
    found: set[str] = set()
    for name in (*local, host, *others):
        plain = f"[{name}]" if ":" in name and name.count(":") > 1 and "[" not in name else name
        split = urlsplit(f"//{plain}")
        found |= {plain.lower()} if split.port else {f"{plain}:{port}".lower()}
        if split.port is None and (port in (80, 443) or name in others):
            found.add(plain.lower())
    return frozenset(found)


def headers_of(scope: Scope) -> dict[str, str]:
    """Headers by name; a name that occurs twice is not unambiguous, and has no value that would be accepted."""
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        if key == "cookie" and key in found:
            found[key] += f"; {text}"
        else:
            found[key] = "" if key in found else text
    return found


def _cookies(header: str) -> dict[str, str]:
    parts = (part.strip().partition("=") for part in header.split(";"))
    return {name: value for name, _, value in parts}


def client_of(scope: Scope, headers: dict[str, str], rules: AccessRules) -> str:
    """Whom a request comes from, behind the proxy if there is one."""
    return client_address((scope.get("client") or ("",))[0], headers, rules.proxies)


async def reject(
    send: Send, status: int, message: str, *, as_page: bool = False, retry_s: float = 0.0
) -> None:
    """Answer with an error in one line, as JSON or as a page, and close the connection."""
    body = json.dumps({"error": message}).encode()
    if as_page:
        body = f'<!doctype html><html lang="en"><title>rma-mamba</title><p>{message}</p></html>'.encode()
    headers = [
        (b"content-type", b"text/html; charset=utf-8" if as_page else b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    if retry_s:
        headers.append((b"retry-after", str(round(retry_s)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _redirect(send: Send, location: str, cookie: str | None = None) -> None:
    headers = [(b"location", location.encode()), (b"content-length", b"0")]
    if cookie is not None:
        headers.append((b"set-cookie", cookie.encode()))
    await send({"type": "http.response.start", "status": 303, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
