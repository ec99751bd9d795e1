"""Options of `rma-mamba serve`: where it listens, and who may use it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_PANEL = "Other machines"

Listen = Annotated[
    str,
    typer.Option(
        metavar="ADDRESS",
        rich_help_panel=_PANEL,
        help="Address to listen on. Beyond this machine it requires a password or a proxy, and TLS.",
    ),
]
AllowHost = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        rich_help_panel=_PANEL,
        help="Name under which browsers reach the server, with the port if it differs; repeatable.",
    ),
]
PasswordFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        rich_help_panel=_PANEL,
        help="File with the password of the login page.  [default: RMA_MAMBA_PASSWORD]",
    ),
]
ProxyHeader = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        rich_help_panel=_PANEL,
        help="Header in which a reverse proxy names the user it has authenticated, such as X-Remote-User.",
    ),
]
TrustedProxy = Annotated[
    list[str] | None,
    typer.Option(
        metavar="ADDRESS",
        rich_help_panel=_PANEL,
        help="Address of the reverse proxy; repeatable.  [default: 127.0.0.1 and ::1]",
    ),
]
TlsCert = Annotated[
    Path | None,
    typer.Option(metavar="FILE", rich_help_panel=_PANEL, help="TLS certificate (PEM)."),
]
TlsKey = Annotated[
    Path | None,
    typer.Option(metavar="FILE", rich_help_panel=_PANEL, help="Key of the certificate (PEM)."),
]
