"""`rma-mamba export`: a trained network for other software."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rma_mamba.cli.shared_options import Verbose
from rma_mamba.errors import ConfigError


def export(
    weights: Annotated[
        str,
        typer.Argument(
            metavar="WEIGHTS", help="Path of a weights file, or default for the bundled network."
        ),
    ],
    monai_bundle: Annotated[
        Path | None,
        typer.Option(
            "--monai-bundle", metavar="FOLDER", help="Write a MONAI bundle to this folder."
        ),
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Write a trained network for other software.

    A MONAI bundle contains the network, its settings and a documentation; MONAI's own command runs it on scans.
    """
    if monai_bundle is None:
        raise ConfigError(
            "no output is named; expected the format and path to export to. Add --monai-bundle FOLDER."
        )
    from rma_mamba.exporting.monai_bundle import write_monai_bundle

    write_monai_bundle(weights, monai_bundle)
    typer.echo(f"MONAI bundle: {monai_bundle}", err=True)
