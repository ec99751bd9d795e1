"""`rma-mamba data`: look at a dataset, and make it ready for training."""

import typer

from rma_mamba.cli.data.check import check
from rma_mamba.cli.data.prepare import prepare
from rma_mamba.cli.data.summary import summary

data = typer.Typer(
    name="data",
    help="Check datasets and make them ready for training.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
data.command()(check)
data.command()(prepare)
data.command()(summary)

__all__ = ["data"]
