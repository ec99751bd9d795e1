"""`rma-mamba serve`: a viewer in the browser, on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rma_mamba.cli.scan_options import Model
from rma_mamba.cli.shared_options import Verbose


def serve(
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FOLDER]", help="Folder of scans to open.  [default: uploads alone]"
        ),
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option(
            "--results",
            "-o",
            metavar="FOLDER",
            help="Folder of results, as written by `segment`.  [default: FOLDER/rma-mamba-results]",
        ),
    ] = None,
    model: Model = "default",
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="N", help="Port; 0: any free one.")
    ] = 0,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")
    ] = True,
    verbose: Verbose = False,
) -> None:
    """Open a viewer in the browser: segment, look, correct, export.

    The server listens on this machine only, and no request leaves it.
    """
    from rma_mamba.pipeline.request import NetworkOptions
    from rma_mamba.server.access_control import AccessRules
    from rma_mamba.server.serve_options import ServeOptions
    from rma_mamba.server.web_server import Binding, WebServer
    from rma_mamba.server.web_server import serve as run

    options = ServeOptions(folder, results, NetworkOptions(model), verbose=verbose)
    run(WebServer(options, Binding(port=port), AccessRules()), typer.echo, browser=browser)
