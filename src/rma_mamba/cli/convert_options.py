"""Options of `rma-mamba convert`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

MaskArgument = Annotated[
    Path,
    typer.Argument(
        metavar="MASK", help="Mask made by any tool: NIfTI, NRRD, MetaImage, DICOM SEG or RTSTRUCT."
    ),
]
Scan = Annotated[
    Path,
    typer.Option(metavar="PATH", rich_help_panel="Input", help="Scan on which the mask was drawn."),
]
Output = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="PATH",
        rich_help_panel="Output",
        help="File, or folder for <case>/liver.nii.gz.  [default: next to the mask]",
    ),
]
Kind = Annotated[
    Literal["automatic", "semiautomatic", "manual"] | None,
    typer.Option(
        metavar="KIND",
        rich_help_panel="Provenance",
        help="How it was made: automatic, semiautomatic or manual.  [default: as the mask states it, "
        "else automatic]",
    ),
]
Creator = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        rich_help_panel="Provenance",
        help="Who made or corrected it, such as Roe^Jane; written to DICOM objects.",
    ),
]
Algorithm = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", rich_help_panel="Provenance", help="Name of the program that made it."
    ),
]
AlgorithmVersion = Annotated[
    str | None,
    typer.Option(metavar="VERSION", rich_help_panel="Provenance", help="Version of that program."),
]
