"""Options that select the liver in a mask."""

from __future__ import annotations

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
