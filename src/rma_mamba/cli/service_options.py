"""Options of commands that write and send results."""

from __future__ import annotations

from typing import Annotated

import typer

OutputTypes = Annotated[
    str | None,
    typer.Option(
        "--output-type",
        "-ot",
        metavar="TYPES",
        help="As for `rma-mamba segment`.  [default: nifti; with --send-to also dicom_seg, dicom_sr]",
    ),
]
Reports = Annotated[bool, typer.Option("--report", help="Write a report (HTML, PDF).")]
Device = Annotated[
    str,
    typer.Option(
        "--device", "-d", metavar="DEVICE", help="Device: auto, cpu, gpu, cuda, cuda:N or mps."
    ),
]
Fast = Annotated[
    bool,
    typer.Option("--fast", "-f", help="Skip multi-scale test-time augmentation."),
]
SendTo = Annotated[
    str | None,
    typer.Option(
        "--send-to",
        metavar="ARCHIVE",
        rich_help_panel="Archive",
        help="Send DICOM results to AETITLE@HOST:PORT (C-STORE) or dicomweb:URL (STOW-RS).",
    ),
]
Send = Annotated[
    bool,
    typer.Option(
        "--send",
        rich_help_panel="Archive",
        help="Send DICOM results to the DICOMweb service from which the scan was fetched.",
    ),
]
