"""`rma-mamba convert`: write a mask from any tool in the formats of `segment`."""

from __future__ import annotations

import typer

from rma_mamba.cli import convert_options as options
from rma_mamba.cli.class_options import Classes, parse_classes
from rma_mamba.cli.console import Console
from rma_mamba.cli.label_options import Labels
from rma_mamba.cli.output_options import FailOn, OutputTypes, Preview, Report, Statistics
from rma_mamba.cli.scan_options import Modality, Series
from rma_mamba.cli.shared_options import Quiet, Verbose


def convert(
    mask: options.MaskArgument,
    scan: options.Scan,
    output: options.Output = None,
    output_type: OutputTypes = None,
    preview: Preview = False,
    statistics: Statistics = False,
    report: Report = False,
    fail_on: FailOn = None,
    series: Series = None,
    labels: Labels = None,
    classes: Classes = None,
    modality: Modality = None,
    kind: options.Kind = None,
    creator: options.Creator = None,
    algorithm: options.Algorithm = None,
    algorithm_version: options.AlgorithmVersion = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Convert a mask from any tool to other formats.

    The mask must be on the voxels of its scan. Its quality is assessed, and written to all outputs.
    """
    from rma_mamba.cli.option_values import parse_modality
    from rma_mamba.pipeline import converting, output_types
    from rma_mamba.pipeline.quality_gate import exit_code_of_run
    from rma_mamba.pipeline.request import ReadOptions

    extras = {"--preview": preview, "--statistics": statistics, "--report": report}
    written = output_types.parse_output_types(output_type) + output_types.types_of_options(extras)
    reading = ReadOptions(series, modality=parse_modality(modality))
    named, values = parse_classes(classes, stated=True), tuple(labels or ())
    provenance = kind, creator, algorithm, algorithm_version
    request = converting.ConvertRequest(reading, written, values, named, *provenance)
    done = converting.convert_mask(mask, scan, output, request)
    console = Console(quiet, verbose)
    console.warn(done.warnings)
    for line in done.lines:
        console.note(line)
    raise typer.Exit(exit_code_of_run([done.light], 0, fail_on, console))
