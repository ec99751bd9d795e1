"""Arguments and options of the commands on datasets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from rma_mamba.cli.channel_options import parse_channels
from rma_mamba.errors import ConfigError

if TYPE_CHECKING:
    from rma_mamba.datasets.layouts import DatasetIndex

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


def open_dataset(
    name: str,
    root: Path,
    sequences: list[str] | None,
    liver: str | None,
    patient: str | None,
    channels: list[str] | None = None,
    *,
    resample: bool = False,
) -> DatasetIndex:
    """Open the dataset that the arguments describe."""
    from rma_mamba.datasets import layouts

    try:
        values = tuple(int(each) for each in (liver or "").split(",") if each)
    except ValueError:
        raise ConfigError(
            f"--liver is '{liver}'; expected label values such as 1 or 1,2. Correct it."
        ) from None
    if resample and not channels:
        raise ConfigError(
            "--resample is set without channels; expected --channel for each of them. Add them, or omit --resample."
        )
    options = layouts.LayoutOptions(values, patient, parse_channels(channels), resample)
    return layouts.open_dataset(name, root, options, sequences or ())
