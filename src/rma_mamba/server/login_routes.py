"""The login page of a server with a password."""

from __future__ import annotations

import secrets
from pathlib import Path
from urllib.parse import parse_qs

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from rma_mamba.server.access_control import AccessRules, client_of, headers_of
from rma_mamba.server.guess_limit import LONGEST_WAIT_S, GuessLimit

router = APIRouter()

_PAGE = Path(__file__).with_name("static") / "login.html"
_WRONG = "This password is wrong. Try again."
_TOO_MANY = (
    "Too many wrong passwords came from this address. Try again in ten seconds, or open the link that "
    "rma-mamba serve printed."
)
_NO_LOGIN = (
    "the server has no password; expected the link that rma-mamba serve printed. Open that link."
)


@router.get("/login")
async def login_page(request: Request) -> HTMLResponse:
    """The page that asks for the password, after a wrong one with a message."""
    answer = _page(_WRONG if "wrong" in request.query_params else "")
    rules: AccessRules = request.app.state.rules
    if _visit(rules) not in request.cookies:
        answer.headers["set-cookie"] = (
            f"{_visit(rules)}=1; Path=/login; HttpOnly; SameSite=Strict{rules.secure}"
        )
    return answer


@router.post("/login")
async def login(request: Request) -> Response:
    """Start a session if the password is right."""
    rules: AccessRules = request.app.state.rules
    if rules.password is None:
        raise HTTPException(404, _NO_LOGIN)
    form = parse_qs((await request.body()).decode("utf-8", "replace"))
    given = form.get("password", [""])[-1]
    guesses: GuessLimit = request.app.state.guesses
    client = _client(request, rules)
    if not await guesses.wait(client):
        return _page(_TOO_MANY, 429, {"retry-after": str(round(LONGEST_WAIT_S))})
    if not secrets.compare_digest(given.encode(), rules.password.encode()):
        return RedirectResponse("/login?wrong", 303)
    guesses.forget(client)
    return RedirectResponse("/", 303, {"set-cookie": rules.cookie})


def _client(request: Request, rules: AccessRules) -> str:
    """The address; browsers, which have loaded the page before, do not wait behind programs that only guess."""
    address = client_of(request.scope, headers_of(request.scope), rules)
    return f"{address} with page" if _visit(rules) in request.cookies else address


def _visit(rules: AccessRules) -> str:
    """Name of the cookie of whoever has loaded the page."""
    return f"{rules.cookie_name}-login"


def _page(message: str, status: int = 200, headers: dict[str, str] | None = None) -> HTMLResponse:
    page = _PAGE.read_text(encoding="utf-8")
    if message:
        page = page.replace(" hidden>", ">").replace(_WRONG, message)
    return HTMLResponse(page, status, headers)
