"""Options that several commands share: the scan, the patient and the network. Their panels are headings in the help."""

from __future__ import annotations

from typing import Annotated

import typer

Modality = Annotated[
    str | None,
    typer.Option(
        metavar="CT|MR",
        rich_help_panel="Input",
        help="Modality of the scan.  [default: from the header, else detected from intensities]",
    ),
]
Series = Annotated[
    str | None,
    typer.Option(
        metavar="SERIES",
        rich_help_panel="Input",
        help="DICOM series: a number from `rma-mamba series`, or a UID.  [default: the most suitable]",
    ),
]
HeightCm = Annotated[
    float | None,
    typer.Option(
        metavar="CM",
        rich_help_panel="Patient",
        help="Height of the patient, for the standard liver volume.",
    ),
]
WeightKg = Annotated[
    float | None,
    typer.Option(
        metavar="KG",
        rich_help_panel="Patient",
        help="Weight of the patient, for the standard liver volume.",
    ),
]
Model = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        metavar="MODEL",
        rich_help_panel="Network",
        help="Path of a weights file, or default for the bundled network.",
    ),
]
