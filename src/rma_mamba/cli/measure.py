"""`rma-mamba measure`: what a mask of any tool says of a liver."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from rma_mamba.cli.console import Console
from rma_mamba.cli.options import HeightCm, Verbose, WeightKg


def measure(
    mask: Annotated[Path, typer.Argument(help="A mask of any tool (NIfTI, NRRD, MetaImage).")],
    scan: Annotated[
        Path | None, typer.Option(help="Its scan, on the same grid, for intensities.")
    ] = None,
    labels: Annotated[
        list[int] | None, typer.Option("--label", help="A label that is liver.  [default: any > 0]")
    ] = None,
    modality: Annotated[
        Literal["CT", "MR"] | None,
        typer.Option(case_sensitive=False, help="Of the scan; told from it if not given."),
    ] = None,
    height_cm: HeightCm = None,
    weight_kg: WeightKg = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Also write the table as JSON.")
    ] = None,
    csv_file: Annotated[
        Path | None, typer.Option("--csv", help="Also write the table as CSV.")
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Say nothing but the table, warnings and errors.")
    ] = False,
    verbose: Verbose = False,
) -> None:
    """Measure a liver mask: volume and its uncertainty, extent, surface, intensities, standard volume."""
    from rma_mamba.pipeline import measuring
    from rma_mamba.pipeline.patient_size import body_of

    console = Console(quiet, verbose)
    body = body_of(height_cm, weight_kg)
    measuring.check_tables(json_file, csv_file)
    bits, doubts = measuring.read_mask(mask, labels or ())
    found = measuring.measured(bits, scan, modality, body)
    measuring.write_tables(found, json_file, csv_file)
    console.warn((*doubts, *found.warnings))
    for name, value in found.record.items():
        if value is not None:
            typer.echo(f"{name:<28}{value:>14g}")
