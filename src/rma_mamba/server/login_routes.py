"""The login page of a server with a password."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path
from urllib.parse import parse_qs

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from rma_mamba.server.access_control import AccessRules

router = APIRouter()

_PAGE = Path(__file__).with_name("static") / "login.html"
_PAUSE_S = 1.0  # after a wrong password; attempts wait for each other
_NO_LOGIN = (
    "the server has no password; expected the link that rma-mamba serve printed. Open that link."
)

_turn = asyncio.Lock()


@router.get("/login")
async def login_page(request: Request) -> HTMLResponse:
    """The page that asks for the password, after a wrong one with a message."""
    page = _PAGE.read_text(encoding="utf-8")
    return HTMLResponse(page.replace(" hidden>", ">") if "wrong" in request.query_params else page)


@router.post("/login")
async def login(request: Request) -> Response:
    """Start a session if the password is right."""
    rules: AccessRules = request.app.state.rules
    if rules.password is None:
        raise HTTPException(404, _NO_LOGIN)
    form = parse_qs((await request.body()).decode("utf-8", "replace"))
    given = form.get("password", [""])[-1]
    async with _turn:
        if not secrets.compare_digest(given.encode(), rules.password.encode()):
            await asyncio.sleep(_PAUSE_S)
            return RedirectResponse("/login?wrong", 303)
    return RedirectResponse("/", 303, {"set-cookie": rules.cookie})
