"""Options of commands that read masks: which label is the liver, and whose mask it is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Labels = Annotated[
    list[int] | None,
    typer.Option(
        "--label",
        metavar="N",
        help="Label value of the liver, or number of a segment; repeatable.  [default: all values above 0]",
    ),
]
PredictionLabels = Annotated[
    list[int] | None,
    typer.Option(
        "--prediction-label",
        metavar="N",
        help="Label value of the liver in predictions; repeatable.  [default: same as --label]",
    ),
]
ScanOfMasks = Annotated[
    Path | None,
    typer.Option(
        "--scan",
        metavar="PATH",
        help="Scan of a single reference, for masks that are DICOM objects.",
    ),
]
PatientPattern = Annotated[
    str | None,
    typer.Option(
        "--patient",
        metavar="REGEX",
        help="Regular expression: group 1 is the patient in a file name.",
    ),
]
