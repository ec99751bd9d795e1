"""The options of a cross-validation."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from rma_mamba.errors import ConfigError

Folds = Annotated[
    int | None,
    typer.Option("--folds", metavar="N", help="Cross-validation with N folds, by patient."),
]
Fold = Annotated[
    str | None,
    typer.Option(
        "--fold",
        metavar="N|all",
        help="Train only this fold (0-based); or on all cases, without validation.",
    ),
]
Jobs = Annotated[
    int,
    typer.Option(
        "--jobs", min=1, metavar="N", help="Folds trained at the same time, on a GPU each."
    ),
]


def parse_fold(text: str | None, folds: int | None) -> int | Literal["all"] | None:
    """The number of a fold, or "all" for a training run without validation.

    Args:
        text: Value of --fold.
        folds: Value of --folds; None: no cross-validation.

    Raises:
        ConfigError: The text is neither, or the options contradict each other.
    """
    if text is None:
        return None
    if text.lower() == "all":
        if folds is not None:
            raise ConfigError(
                "--fold all trains on all cases, without folds; expected no --folds beside it. Omit one of them."
            )
        return "all"
    if folds is None:
        raise ConfigError(
            f"--fold {text} needs the number of folds; expected --folds beside it, or --fold all. Add --folds 5."
        )
    try:
        return int(text)
    except ValueError:
        raise ConfigError(
            f"the fold is '{text}'; expected the number of a fold, from 0, or all. Correct --fold."
        ) from None
