"""Options of the commands that write the results of a mask."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

FailOn = Annotated[
    Literal["red", "yellow"] | None,
    typer.Option(
        "--fail-on",
        metavar="red|yellow",
        rich_help_panel="Output",
        help="Exit with code 8 if the quality of a mask is red, or yellow or red; all results are written, but "
        "those of such a mask are not sent to an archive.",
    ),
]
OutputTypes = Annotated[
    str | None,
    typer.Option(
        "--output-type",
        "-ot",
        metavar="TYPES",
        rich_help_panel="Output",
        help="One or more, comma-separated: nifti, dicom_seg, dicom_rtstruct, stl, obj, json, csv, "
        "dicom_sr, dicom_sc, dicom_pdf.  [default: from the suffix of the output, else nifti]",
    ),
]
Preview = Annotated[
    bool,
    typer.Option("--preview", "-p", rich_help_panel="Output", help="Write a preview image (PNG)."),
]
Statistics = Annotated[
    bool,
    typer.Option(
        "--statistics",
        "-s",
        rich_help_panel="Output",
        help="Write measurements, quality and warnings (JSON).",
    ),
]
Report = Annotated[
    bool, typer.Option("--report", rich_help_panel="Output", help="Write a report (HTML, PDF).")
]
