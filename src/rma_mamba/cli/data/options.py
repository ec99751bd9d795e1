"""Arguments and options that the commands on datasets share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from rma_mamba.errors import ConfigError

if TYPE_CHECKING:
    from rma_mamba.datasets.layouts import DatasetIndex

Name = Annotated[
    Literal["auto", "cirrmri600", "lits", "msd-liver", "chaos", "nnunet", "folders"],
    typer.Argument(help="How the dataset is laid out; auto: told from the folder."),
]
Root = Annotated[Path, typer.Argument(help="The folder that it was unpacked to.")]
Sequences = Annotated[
    list[str] | None,
    typer.Option(
        "--sequence", help="This sequence alone, as the summary names it; can be repeated."
    ),
]
Liver = Annotated[
    str | None,
    typer.Option(
        help="Label values that are liver, as 1 or 1,2; told by the dataset if not given."
    ),
]
Patient = Annotated[
    str | None,
    typer.Option(
        metavar="REGEX",
        help="Finds the patient in a case's name, as its first group (nnunet, folders).",
    ),
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Say nothing but the results, warnings and errors.")
]


def opened(
    name: str, root: Path, sequences: list[str] | None, liver: str | None, patient: str | None
) -> DatasetIndex:
    """The dataset that the arguments name."""
    from rma_mamba.datasets.layouts import LayoutOptions, open_dataset

    try:
        values = tuple(int(each) for each in (liver or "").split(",") if each)
    except ValueError:
        raise ConfigError(
            f"--liver is '{liver}'; expected label values as 1 or 1,2. Change it."
        ) from None
    return open_dataset(name, root, LayoutOptions(values, patient), sequences or ())
