"""`rma-mamba demo --web`: the options of the web page, and writing it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

WebFolder = Annotated[
    Path | None,
    typer.Option(
        "--web",
        metavar="FOLDER",
        help="Write a web page that segments scans in the browser instead. Needs the extra torch.",
    ),
]
RuntimeFiles = Annotated[
    Path | None,
    typer.Option(
        "--runtime-files",
        metavar="FOLDER",
        help="With --web: the folder dist of the npm package onnxruntime-web. "
        "[default: node_modules/onnxruntime-web/dist]",
    ),
]


def write_web_demo(folder: Path, runtime: Path | None) -> None:
    """Write the page, and print how to open it."""
    from rma_mamba.exporting.web_page import DEFAULT_RUNTIME, write_web_page

    write_web_page(folder, runtime or DEFAULT_RUNTIME)
    typer.echo(
        f"The page is in {folder}/. To open it: python -m http.server -d {folder} -b 127.0.0.1"
    )
    typer.echo("Then open http://localhost:8000/ in a browser.")
