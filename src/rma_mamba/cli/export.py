"""`rma-mamba export`: a trained network for other software."""

from __future__ import annotations

import typer

from rma_mamba.cli import export_options as options
from rma_mamba.cli.shared_options import Verbose
from rma_mamba.errors import ConfigError
from rma_mamba.extras import require_extra


def export(
    weights: options.Weights,
    output: options.OnnxFile = None,
    precision: options.StoredPrecision = "fp32",
    size: options.FixedSize = None,
    licence: options.Licence = None,
    monai_bundle: options.MonaiBundle = None,
    verbose: Verbose = False,
) -> None:
    """Write a trained network for other software.

    An ONNX file has standard operators only; it is written if ONNX Runtime computes the same as PyTorch. A MONAI bundle
    contains the network, its settings and a documentation; MONAI's own command runs it on scans.
    """
    if monai_bundle is None and output is None:
        raise ConfigError(
            "no output is named; expected the format and path to export to. "
            "Add -o FILE.onnx or --monai-bundle FOLDER."
        )
    if output is not None:
        require_extra("torch", "torch", "an export to ONNX, which is compared with PyTorch,")
        from rma_mamba.cli.image_size import parse_size
        from rma_mamba.exporting.onnx_export import export_onnx

        report = export_onnx(
            weights, output, precision=precision, size=parse_size(size), licence=licence
        )
        typer.echo(f"ONNX file: {output}; {report.line}", err=True)
    if monai_bundle is not None:
        for library in ("torch", "monai"):
            require_extra(library, "bundle", "a MONAI bundle")
        from rma_mamba.exporting.monai_bundle import write_monai_bundle

        write_monai_bundle(weights, monai_bundle, licence=licence)
        typer.echo(f"MONAI bundle: {monai_bundle}", err=True)
