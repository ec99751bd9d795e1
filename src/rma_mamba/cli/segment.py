"""`rma-mamba segment`: from a scan, or a folder of scans, to masks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from rma_mamba.cli.console import Console
from rma_mamba.cli.options import HeightCm, WeightKg


def segment(
    scan: Annotated[
        Path,
        typer.Option(
            "--input",
            "-i",
            help="DICOM (folder, zip, file), NIfTI, NRRD, MetaImage or pictures; or a folder of scans.",
        ),
    ],
    out: Annotated[
        str,  # a path would lose the slash that tells a folder
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
    frame: Annotated[
        str | None, typer.Option(help="Of a 4-D scan: which volume, from 1, or all.")
    ] = None,
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
    save_uncertainty: Annotated[
        bool, typer.Option(help="Also write how unsure each voxel is, in bits (NIfTI, float32).")
    ] = False,
    report: Annotated[
        bool, typer.Option("--report", help="Also write a report (HTML and PDF).")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Skip what was finished with the same settings.")
    ] = False,
    num_parts: Annotated[
        int, typer.Option(min=1, help="Of a folder of scans: share it among so many runs.")
    ] = 1,
    part_id: Annotated[int, typer.Option(min=0, help="Which of them this is, from 0.")] = 0,
    engine: Annotated[
        Literal["local", "ray"],
        typer.Option(help="Of a folder of scans: this process, or a Ray cluster."),
    ] = "local",
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Say nothing but warnings and errors.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Say more; show where an error happened.")
    ] = False,
) -> None:
    """Segment the liver in a CT or MR scan, or in a folder of them, each mask on its scan's own grid."""
    from rma_mamba.cli.interrupts import interruptible
    from rma_mamba.cli.numbers import parsed_frame, parsed_spacing
    from rma_mamba.pipeline.output_types import parsed_kinds
    from rma_mamba.pipeline.patient_size import body_of
    from rma_mamba.pipeline.request import Network, Reading, Request, Wanted
    from rma_mamba.pipeline.segment import Sharing, segment_input

    request = Request(
        Network(model, device, batch_size, fast, precision),
        Reading(series, parsed_frame(frame), strict, parsed_spacing(spacing_mm), modality),
        Wanted(
            parsed_kinds(output_type),
            preview,
            statistics,
            save_probabilities,
            save_uncertainty,
            report,
        ),
        resume,
        body_of(height_cm, weight_kg),
    )
    sharing = Sharing(part_id, num_parts, engine)
    with interruptible():
        code = segment_input(scan, out, request, sharing, Console(quiet, verbose))
    raise typer.Exit(code)
