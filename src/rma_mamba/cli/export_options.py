"""Options of `rma-mamba export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

_ONNX = "ONNX"

Weights = Annotated[
    str,
    typer.Argument(
        metavar="WEIGHTS", help="Path of a weights file, or default for the bundled network."
    ),
]
OnnxFile = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="PATH", help="Write an ONNX file (.onnx)."),
]
StoredPrecision = Annotated[
    Literal["fp32", "fp16", "int8"],
    typer.Option(
        metavar="fp32|fp16|int8",
        rich_help_panel=_ONNX,
        help="Type of the stored weights; arithmetic is float32 in any case.",
    ),
]
FixedSize = Annotated[
    str | None,
    typer.Option(
        metavar="HEIGHTxWIDTH",
        rich_help_panel=_ONNX,
        help="Fixed size of the images, such as 256x256.  [default: any]",
    ),
]
Licence = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help="Licence of the weights, for the metadata and LICENSE."),
]
MonaiBundle = Annotated[
    Path | None,
    typer.Option("--monai-bundle", metavar="FOLDER", help="Write a MONAI bundle to this folder."),
]
