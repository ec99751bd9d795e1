"""`rma-mamba segment`: segment the liver in a scan or a folder of scans."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from rma_mamba.cli.console import Console
from rma_mamba.cli.output_options import FailOn, OutputTypes, Preview, Report, Statistics
from rma_mamba.cli.scan_options import HeightCm, Modality, Model, Series, WeightKg
from rma_mamba.cli.service_options import Send, SendTo
from rma_mamba.cli.shared_options import Quiet, Verbose

_INPUT, _NETWORK, _OUTPUT, _COHORT = "Input", "Network", "Output", "Folders of scans"


def segment(
    *,
    scan: Annotated[
        str | None,  # as a Path, a URL would lose a slash
        typer.Option(
            "--input",
            "-i",
            metavar="PATH",
            rich_help_panel=_INPUT,
            help="DICOM (folder, zip or file), NIfTI, NRRD, MetaImage or images; a folder of scans; or "
            "dicomweb:URL/studies/UID.  [required, unless --channel names paths]",
        ),
    ] = None,
    channels: Annotated[
        list[str] | None,
        typer.Option(
            "--channel",
            metavar="NAME=PATH",
            rich_help_panel=_INPUT,
            help="Network with several channels: a scan of the patient by its channel, such as T1=t1.nii.gz; with "
            "--input, a DICOM series of it, such as T1=3; repeatable.",
        ),
    ] = None,
    resample: Annotated[
        bool,
        typer.Option(
            "--resample",
            rich_help_panel=_INPUT,
            help="Resample the channels to the grid of the first, by position in mm.",
        ),
    ] = False,
    out: Annotated[
        str,  # as a Path it would lose the trailing slash that marks a folder
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            rich_help_panel=_OUTPUT,
            help="Mask file (.nii.gz, .nii, .dcm, .stl, .obj), or folder for <case>/liver.nii.gz.",
        ),
    ],
    series: Series = None,
    volume: Annotated[
        str | None,
        typer.Option(
            metavar="N|all",
            rich_help_panel=_INPUT,
            help="Volume of a 4-D scan to segment (1-based), or 'all' for every volume.",
        ),
    ] = None,
    frame: Annotated[str | None, typer.Option(hidden=True)] = None,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict", rich_help_panel=_INPUT, help="Reject DICOM series that need repair."
        ),
    ] = False,
    spacing_mm: Annotated[
        str | None,
        typer.Option(
            metavar="MM",
            rich_help_panel=_INPUT,
            help="Pixel spacing of images: one number, or column,row,slice such as 0.8,0.8,5.",
        ),
    ] = None,
    modality: Modality = None,
    model: Model = "default",
    device: Annotated[
        str,
        typer.Option(
            "--device",
            "-d",
            metavar="DEVICE",
            rich_help_panel=_NETWORK,
            help="Device: auto, cpu, gpu, cuda, cuda:N or mps.",
        ),
    ] = "auto",
    batch_size: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            rich_help_panel=_NETWORK,
            help="Slices per batch.  [default: chosen to fit in memory]",
        ),
    ] = None,
    fast: Annotated[
        bool,
        typer.Option(
            "--fast",
            "-f",
            rich_help_panel=_NETWORK,
            help="Skip multi-scale test-time augmentation: faster, slightly less accurate.",
        ),
    ] = False,
    precision: Annotated[
        Literal["float32", "bfloat16"],
        typer.Option(
            metavar="float32|bfloat16",
            rich_help_panel=_NETWORK,
            help="Precision of matrix multiplications. bfloat16 is slightly less accurate, and faster with "
            "processor instructions for it (AVX-512 BF16, AMX), else much slower.",
        ),
    ] = "float32",
    runtime: Annotated[
        Literal["auto", "onnx", "torch"],
        typer.Option(
            metavar="auto|onnx|torch",
            rich_help_panel=_NETWORK,
            help="PyTorch, or ONNX Runtime (starts faster, does not need torch); auto: torch if installed.",
        ),
    ] = "auto",
    output_type: OutputTypes = None,
    preview: Preview = False,
    statistics: Statistics = False,
    report: Report = False,
    identify: Annotated[
        bool,
        typer.Option(
            "--identify",
            rich_help_panel=_OUTPUT,
            help="Print the patient's name and ID and the accession number on the report (DICOM only).",
        ),
    ] = False,
    save_probabilities: Annotated[
        bool,
        typer.Option(
            "--save-probabilities/--no-save-probabilities",
            rich_help_panel=_OUTPUT,
            help="Write voxel-wise probabilities (NIfTI, float32).",
        ),
    ] = False,
    save_uncertainty: Annotated[
        bool,
        typer.Option(
            "--save-uncertainty/--no-save-uncertainty",
            rich_help_panel=_OUTPUT,
            help="Write the voxel-wise entropy in bits (NIfTI, float32).",
        ),
    ] = False,
    fail_on: FailOn = None,
    height_cm: HeightCm = None,
    weight_kg: WeightKg = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            rich_help_panel=_COHORT,
            help="Skip cases that were completed with the same input, weights and settings.",
        ),
    ] = False,
    num_parts: Annotated[
        int,
        typer.Option(
            min=1,
            metavar="N",
            rich_help_panel=_COHORT,
            help="Divide the scans among this many runs.",
        ),
    ] = 1,
    part_id: Annotated[
        int,
        typer.Option(
            min=0, metavar="N", rich_help_panel=_COHORT, help="Index of this run (0-based)."
        ),
    ] = 0,
    engine: Annotated[
        Literal["local", "ray"],
        typer.Option(
            metavar="local|ray",
            rich_help_panel=_COHORT,
            help="Run in this process, or on a Ray cluster.",
        ),
    ] = "local",
    send: Send = False,
    send_to: SendTo = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Segment the liver in CT and MR scans.

    The input is one scan, or a folder of scans. Each mask is on the grid of its scan.
    """
    from rma_mamba.cli.channel_options import parse_channels
    from rma_mamba.cli.deprecations import renamed_option
    from rma_mamba.cli.interrupts import interruptible
    from rma_mamba.cli.option_values import parse_modality, parse_spacing, parse_volume
    from rma_mamba.pipeline.output_types import parse_output_types, types_of_options
    from rma_mamba.pipeline.patient_size import patient_size
    from rma_mamba.pipeline.quality_gate import exit_code_of_run
    from rma_mamba.pipeline.request import NetworkOptions, ReadOptions, SegmentRequest
    from rma_mamba.pipeline.segment import Distribution
    from rma_mamba.server.node.remote_segmentation import segment_and_send

    named = parse_channels(channels, stated=True)
    number = parse_volume(renamed_option("--frame", frame, "--volume", volume))
    options = {
        "--preview": preview,
        "--statistics": statistics,
        "--report": report,
        "--save-probabilities": save_probabilities,
        "--save-uncertainty": save_uncertainty,
    }
    request = SegmentRequest(
        NetworkOptions(model, device, batch_size, fast, precision, runtime),
        ReadOptions(
            series, number, strict, parse_spacing(spacing_mm), parse_modality(modality), resample
        ),
        (*parse_output_types(output_type), *types_of_options(options)),
        resume,
        patient_size(height_cm, weight_kg),
        identify,
    )
    distribution = Distribution(part_id, num_parts, engine)
    console = Console(quiet, verbose)
    with interruptible():
        run = segment_and_send(
            scan,
            out,
            request,
            distribution,
            console,
            named,
            send=send,
            send_to=send_to,
            fail_on=fail_on,
        )
    lights = [case.light for case in run.completed]
    raise typer.Exit(exit_code_of_run(lights, len(run.failed), fail_on, console))
