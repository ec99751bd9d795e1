"""Options of `rma-mamba serve`: folders, uploads and the page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Folder = Annotated[
    Path | None,
    typer.Argument(
        metavar="[FOLDER]",
        help="Folder of scans, or of results of `segment`.  [default: uploads only]",
    ),
]
Results = Annotated[
    Path | None,
    typer.Option(
        "--results",
        "-o",
        metavar="FOLDER",
        help="Folder of results, as written by `segment`.  [default: FOLDER/rma-mamba-results]",
    ),
]
Scans = Annotated[
    Path | None,
    typer.Option(
        "--scans",
        metavar="FOLDER",
        help="Folder of the scans, if FOLDER holds results.  [default: FOLDER]",
    ),
]
Browser = Annotated[
    bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")
]
Port = Annotated[int, typer.Option(min=0, max=65535, metavar="N", help="Port; 0: any free one.")]
KeepHours = Annotated[
    float,
    typer.Option(
        min=0.001,
        metavar="H",
        help="Delete an upload, with its results, this many hours after its last change.",
    ),
]
MaxUploadGb = Annotated[
    float, typer.Option(min=0.001, metavar="GB", help="Largest upload, also when extracted.")
]
