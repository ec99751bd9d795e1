"""`rma-mamba pretrain`: initial weights from unlabelled scans."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rma_mamba.cli.shared_options import Settings, Verbose
from rma_mamba.cli.training_options import Resume
from rma_mamba.standard_streams import progress_on_stderr


def pretrain(
    recipe: Annotated[
        Path,
        typer.Argument(
            metavar="RECIPE",
            help="TOML file, or name of a bundled recipe; its network, slice recipe, augmentation and training "
            "settings are used.",
        ),
    ],
    scans: Annotated[
        Path, typer.Argument(metavar="SCANS", help="Folder of scans of any format, without labels.")
    ],
    settings: Settings = None,
    resume: Resume = False,
    verbose: Verbose = False,
) -> None:
    """Train a network to restore hidden parts of unlabelled scans.

    The weights are initial weights for `train` (--set model.weights=PATH); they do not segment.
    """
    from rma_mamba.pipeline import find_cases
    from rma_mamba.training import pretrain as run_pretraining

    paths = [case.scan for case in find_cases(scans)]
    with progress_on_stderr():
        weights = run_pretraining(recipe, paths, settings or [], resume)
    typer.echo(f"Weights: {weights}", err=True)
