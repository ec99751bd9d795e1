"""The web application: routes, static files, and errors as one line of JSON."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.staticfiles import StaticFiles

from rma_mamba.errors import ConfigError, GridError, RmaMambaError, ScanError
from rma_mamba.pipeline.exit_codes import error_message
from rma_mamba.pipeline.isolated_process import DiskFullError
from rma_mamba.server import (
    case_routes,
    folder_routes,
    login_routes,
    review_routes,
    upload_routes,
)
from rma_mamba.server.access_control import AccessControl, AccessRules, App
from rma_mamba.server.desk import Desk
from rma_mamba.server.guess_limit import GuessLimit
from rma_mamba.server.response_headers import ResponseHeaders
from rma_mamba.server.serve_options import ServeOptions
from rma_mamba.server.small_bodies import SmallBodies
from rma_mamba.server.uploads import Uploads

STATIC = Path(__file__).with_name("static")

_STATUS = {DiskFullError: 507, ConfigError: 422, GridError: 422, ScanError: 422}


def create_app(options: ServeOptions, rules: AccessRules) -> App:
    """The application for a web server.

    Args:
        options: What it serves.
        rules: Who may use it.

    Raises:
        ConfigError: The folder of the results cannot be used.
    """
    desk = Desk(options)
    uploads = Uploads(desk)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await desk.start()
        await uploads.start()
        yield
        await uploads.stop()
        await desk.stop()

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.desk, app.state.uploads, app.state.rules = desk, uploads, rules
    app.state.guesses = GuessLimit()
    app.include_router(login_routes.router)
    app.include_router(folder_routes.router)
    app.include_router(case_routes.router)
    app.include_router(review_routes.router)
    app.include_router(upload_routes.router)
    app.mount("/", StaticFiles(directory=STATIC, html=True))
    app.add_exception_handler(RmaMambaError, _package_error)
    app.add_exception_handler(StarletteHTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(Exception, _unexpected_error)
    guarded = AccessControl(SmallBodies(app), rules)
    return ResponseHeaders(guarded, tls=rules.scheme == "https")


def _error(status: int, text: str) -> JSONResponse:
    return JSONResponse({"error": " ".join(text.split())}, status)


async def _package_error(request: Request, error: Exception) -> JSONResponse:
    status = next((each for kind, each in _STATUS.items() if isinstance(error, kind)), 500)
    return _error(status, error_message(error))


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    if isinstance(error, HTTPException):
        return _error(error.status_code, str(error.detail))
    status = error.status_code if isinstance(error, StarletteHTTPException) else 500
    return _error(
        status, "there is no such page; expected an address of the viewer. Open its first page."
    )


async def _invalid_request(request: Request, error: Exception) -> JSONResponse:
    return _error(
        422,
        "the request is not valid; expected the fields that the viewer sends. Load the page again.",
    )


async def _unexpected_error(request: Request, error: Exception) -> JSONResponse:
    return _error(500, error_message(error))
