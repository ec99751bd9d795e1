"""`rma-mamba segment`: from a scan to a mask."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Literal

import typer

from rma_mamba.cli.console import Console
from rma_mamba.cli.options import HeightCm, WeightKg


def segment(
    scan: Annotated[
        Path,
        typer.Option(
            "--input", "-i", help="DICOM (folder, zip, file), NIfTI, NRRD, MetaImage or pictures."
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="The mask (.nii.gz, .nii, .dcm, .stl, .obj), or a folder for <case>/liver.nii.gz.",
        ),
    ],
    output_type: Annotated[
        str | None,
        typer.Option(
            "--output-type",
            "-ot",
            help="One or more, with commas: nifti, dicom_seg, dicom_rtstruct, stl, obj, dicom_sr, "
            "json, csv.  [default: as the output's name says, else nifti]",
        ),
    ] = None,
    series: Annotated[
        str | None,
        typer.Option(help="Of DICOM: a number of `rma-mamba series`, or a UID; else the best."),
    ] = None,
    frame: Annotated[int | None, typer.Option(help="Of a 4-D scan: which volume, from 1.")] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse DICOM slices that would need repair.")
    ] = False,
    spacing_mm: Annotated[
        str | None,
        typer.Option(help="Of pictures: one number, or three: 0.8,0.8,5 (column, row, slice)."),
    ] = None,
    model: Annotated[
        str, typer.Option("--model", "-m", help="A model's name or a weights file.")
    ] = "default",
    modality: Annotated[
        Literal["CT", "MR"] | None,
        typer.Option(case_sensitive=False, help="Told from the scan if not given."),
    ] = None,
    device: Annotated[
        str, typer.Option("--device", "-d", help="auto, cpu, gpu, cuda or cuda:N.")
    ] = "auto",
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Slices at a time; chosen by itself if not given.")
    ] = None,
    fast: Annotated[
        bool,
        typer.Option("--fast", "-f", help="One look at each slice: quicker, a little less exact."),
    ] = False,
    precision: Annotated[
        Literal["float32", "bfloat16"],
        typer.Option(
            help="Of the network's products; bfloat16 is faster, and a little less exact."
        ),
    ] = "float32",
    preview: Annotated[
        bool, typer.Option("--preview", "-p", help="Also write a picture (PNG).")
    ] = False,
    statistics: Annotated[
        bool, typer.Option("--statistics", "-s", help="Also write volume and extent (JSON).")
    ] = False,
    height_cm: HeightCm = None,
    weight_kg: WeightKg = None,
    save_probabilities: Annotated[
        bool, typer.Option(help="Also write the probability of each voxel (NIfTI, float32).")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Say nothing but warnings and errors.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Say more; show where an error happened.")
    ] = False,
) -> None:
    """Segment the liver in a CT or MR scan and write its mask on the scan's own grid."""
    from rma_mamba.cli import outputs
    from rma_mamba.cli.body import body_of, expected
    from rma_mamba.cli.kinds import parsed_kinds
    from rma_mamba.cli.numbers import parsed_spacing
    from rma_mamba.reporting import measure
    from rma_mamba.reporting.expected_volume import CAVEAT
    from rma_mamba.scans import read_scan

    console = Console(quiet, verbose)
    started = time.monotonic()
    body = body_of(height_cm, weight_kg)
    files = outputs.plan(
        scan,
        out,
        kinds=parsed_kinds(output_type),
        preview=preview,
        statistics=statistics,
        probabilities=save_probabilities,
    )
    volume = read_scan(
        scan, series=series, frame=frame, strict=strict, spacing_mm=parsed_spacing(spacing_mm)
    )
    outputs.check_scan(files, volume)
    console.detail(f"scan: {volume.geometry.shape} voxels, {volume.geometry.orientation}")

    # Only now torch: a wrong path or a damaged scan is told at once.
    from rma_mamba.inference import Segmenter

    segmenter = Segmenter.load(
        model, device=device, batch_size=batch_size, fast=fast, precision=precision
    )
    with console.progress("Segmenting") as progress:
        result = segmenter(
            volume,
            modality=modality,
            progress=progress,
            keep_probabilities=save_probabilities,
        )
    found = measure(result.mask)
    outputs.write(files, volume, result, found, model=model, body=body)
    console.warn((*result.warnings, *found.warnings, *((CAVEAT,) if body else ())))
    console.note(f"Liver: {found.volume_ml:.0f} mL ({result.modality})")
    if body:
        console.note(expected(body))
    console.detail(f"time: {time.monotonic() - started:.1f} s")
