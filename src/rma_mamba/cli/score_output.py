"""Output of the commands that score: tables on stdout, and files in a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from rma_mamba.cli.console import Console

if TYPE_CHECKING:
    from rma_mamba.evaluation import CaseScore


def check_tables(folder: Path | None) -> None:
    """Check, before any work, that tables can be written to a folder.

    Raises:
        ConfigError: A table cannot be written.
    """
    if folder is None:
        return
    from rma_mamba.evaluation import FILES
    from rma_mamba.files import check_writable

    for name in FILES:
        check_writable(folder / name)


def print_and_write(cases: Sequence[CaseScore], folder: Path | None, console: Console) -> None:
    """Print the summary of scores, and write all tables if there is a folder for them."""
    from rma_mamba.evaluation import ScoreSummary, summary_to_markdown, write_scores
    from rma_mamba.evaluation.class_tables import classes_to_markdown

    summary = ScoreSummary.of(cases)
    if folder is not None:
        write_scores(folder, cases, summary)
        console.note(f"Tables are in {folder}/")
    typer.echo(summary_to_markdown(summary))
    if classes := classes_to_markdown(cases):
        typer.echo(f"\n{classes}")
