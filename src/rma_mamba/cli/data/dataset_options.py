"""Arguments and options of the commands on datasets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

Name = Annotated[
    Literal["auto", "cirrmri600", "lits", "msd-liver", "chaos", "nnunet", "folders"],
    typer.Argument(
        metavar="LAYOUT",
        help="Layout: cirrmri600, chaos, msd-liver, lits, nnunet, folders, or auto (detected from the folder).",
    ),
]
Root = Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of the extracted dataset.")]
Sequences = Annotated[
    list[str] | None,
    typer.Option(
        "--sequence",
        metavar="NAME",
        help="Use only this sequence, named as in the summary; repeatable.",
    ),
]
Liver = Annotated[
    str | None,
    typer.Option(
        metavar="VALUES",
        help="Label values of the liver, such as 1 or 1,2.  [default: as defined by the dataset]",
    ),
]
Patient = Annotated[
    str | None,
    typer.Option(
        metavar="REGEX",
        help="Regular expression: group 1 is the patient in a case name (nnunet, folders).",
    ),
]
Channels = Annotated[
    list[str] | None,
    typer.Option(
        "--channel",
        metavar="NAME[=SEQUENCE]",
        help="Join the scans of a patient to one case: this sequence is a channel of it; repeatable.",
    ),
]
Resample = Annotated[
    bool,
    typer.Option(
        "--resample",
        help="Resample the channels of a case to the grid of the first, by position in mm.",
    ),
]
