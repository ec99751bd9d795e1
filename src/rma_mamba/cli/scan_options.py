"""Options that several commands share: the scan, the patient and the network. Their panels are headings in the help."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

Modality = Annotated[
    Literal["CT", "MR"] | None,
    typer.Option(
        case_sensitive=False,
        metavar="CT|MR",
        rich_help_panel="Input",
        help="Modality of the scan.  [default: from the header, else detected from intensities]",
    ),
]
Labels = Annotated[
    list[int] | None,
    typer.Option(
        "--label",
        help="Label value that means liver; repeatable.  [default: all values above 0]",
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
        help="Path of a weights file, or default for the embedded network.",
    ),
]
