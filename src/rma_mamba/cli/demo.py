"""`rma-mamba demo`: a liver of known volume, segmented and measured."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from rma_mamba.cli.console import Console
from rma_mamba.cli.options import Verbose
from rma_mamba.errors import RmaMambaError

TOLERANCE = 0.10  # of the true volume
SEED = 0
CONTRASTS: dict[Literal["mr_t2", "ct"], str] = {"mr_t2": "MR-like", "ct": "CT-like"}


def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for scans, masks and pictures.")
    ] = Path("demo_output"),
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Say nothing but the table and errors.")
    ] = False,
    verbose: Verbose = False,
) -> None:
    """Segment a synthetic abdomen, MR-like and CT-like, and compare with its true liver volume."""
    from rma_mamba.inference import Segmenter
    from rma_mamba.pipeline.demo_case import run_trial

    console = Console(quiet, verbose)
    segmenter = Segmenter.load()
    typer.echo(f"{'contrast':<10}{'true mL':>10}{'measured mL':>13}{'difference':>12}")
    worst = 0.0
    for contrast, label in CONTRASTS.items():
        with console.progress(label) as progress:
            true_ml, measured_ml = run_trial(segmenter, contrast, SEED, output, progress)
        difference = measured_ml / true_ml - 1
        worst = max(worst, abs(difference))
        typer.echo(f"{label:<10}{true_ml:>10.0f}{measured_ml:>13.0f}{difference:>+z12.1%}")
    typer.echo(f"Scans, masks and pictures are in {output}/")
    if worst > TOLERANCE:
        raise RmaMambaError(
            f"a volume is off by {worst:.0%}; expected at most {TOLERANCE:.0%}. "
            "Look at the pictures, and at the weights in `rma-mamba info`."
        )
