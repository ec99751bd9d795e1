"""`rma-mamba demo`: segment synthetic scans whose liver volume is known."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from rma_mamba.cli.console import Console
from rma_mamba.cli.shared_options import Quiet, Verbose
from rma_mamba.cli.web_demo import RuntimeFiles, WebFolder, write_web_demo
from rma_mamba.errors import RmaMambaError

TOLERANCE = 0.10  # of the true volume
CONTRASTS: dict[Literal["mr_t2", "ct"], str] = {"mr_t2": "MR-like", "ct": "CT-like"}


def demo(
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="FOLDER", help="Folder for scans, masks and previews."
        ),
    ] = Path("demo_output"),
    web: WebFolder = None,
    runtime_files: RuntimeFiles = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Segment two phantoms of known liver volume.

    One resembles MR, the other CT. The exit code is 1 if a volume differs by more than 10%.
    """
    if web is not None:
        write_web_demo(web, runtime_files)
        return
    from rma_mamba.inference import Segmenter
    from rma_mamba.pipeline.demo_case import run_demo_case

    console, segmenter = Console(quiet, verbose), Segmenter.load()
    typer.echo(f"{'contrast':<10}{'true mL':>10}{'measured mL':>13}{'difference':>12}")
    largest = 0.0
    for contrast, label in CONTRASTS.items():
        with console.progress(label) as progress:
            found = run_demo_case(segmenter, contrast, output, progress=progress)
        largest = max(largest, abs(found.relative_error))
        volumes = f"{found.true_ml:>10.0f}{found.measured_ml:>13.0f}"
        typer.echo(f"{label:<10}{volumes}{found.relative_error:>+z12.1%}")
    typer.echo(f"Scans, masks and previews are in {output}/")
    if largest > TOLERANCE:
        raise RmaMambaError(
            f"a measured volume differs by {largest:.0%} from the true one; expected at most {TOLERANCE:.0%}. "
            "Check the previews, and the weights in `rma-mamba info`."
        )
