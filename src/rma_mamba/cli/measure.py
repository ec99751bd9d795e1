"""`rma-mamba measure`: measure a liver mask made by any tool."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rma_mamba.cli.console import Console
from rma_mamba.cli.label_options import Labels
from rma_mamba.cli.scan_options import HeightCm, Modality, Series, WeightKg
from rma_mamba.cli.shared_options import Quiet, Verbose


def measure(
    mask: Annotated[
        Path, typer.Argument(metavar="MASK", help="Mask made by any tool (NIfTI, DICOM SEG, ...).")
    ],
    scan: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Scan on the same grid, for intensities and warnings."),
    ] = None,
    series: Series = None,
    labels: Labels = None,
    modality: Modality = None,
    height_cm: HeightCm = None,
    weight_kg: WeightKg = None,
    json_file: Annotated[
        Path | None,
        typer.Option("--json", metavar="PATH", help="Write the table as JSON to this file."),
    ] = None,
    csv_file: Annotated[
        Path | None,
        typer.Option("--csv", metavar="PATH", help="Write the table as CSV to this file."),
    ] = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Measure a liver mask made by any tool.

    Print volume and its uncertainty, extent, surface, nodularity, and on request intensities and standard liver volume.
    With --scan, warn if the mask does not fit the scan, such as a missing upper part.
    """
    from rma_mamba.cli.option_values import parse_modality
    from rma_mamba.pipeline import measuring
    from rma_mamba.pipeline.patient_size import patient_size

    size = patient_size(height_cm, weight_kg)
    measuring.check_tables(json_file, csv_file, [mask, *([scan] if scan else [])])
    kind = parse_modality(modality)
    found = measuring.measure_mask(
        mask, scan, labels=labels or (), modality=kind, patient_size=size, series=series
    )
    measuring.write_tables(found, json_file, csv_file)
    Console(quiet, verbose).warn(found.warnings)
    for name, value in found.record.items():
        if value is not None:
            typer.echo(f"{name:<34}{value:>14g}")
