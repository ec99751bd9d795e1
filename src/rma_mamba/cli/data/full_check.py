"""The check of a dataset, as `rma-mamba data check` and `rma-mamba data prepare` run it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rma_mamba.cli.console import Console

if TYPE_CHECKING:
    from rma_mamba.datasets.audit import AuditResult
    from rma_mamba.datasets.layouts import DatasetIndex

Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs", "-j", min=1, metavar="N", help="Number of processes.  [default: one per core]"
    ),
]


def checked(dataset: DatasetIndex, jobs: int, console: Console) -> AuditResult:
    """The result of the full check, with a progress bar."""
    from rma_mamba.datasets.audit import audit
    from rma_mamba.evaluation.label_judge import network_judge

    with console.progress("Checking") as progress:
        return audit(dataset, progress, judge=network_judge, jobs=jobs)
