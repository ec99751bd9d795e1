"""`rma-mamba data`: check datasets, and prepare them for training."""

import typer

from rma_mamba.cli.data.check import check
from rma_mamba.cli.data.prepare import prepare
from rma_mamba.cli.data.summary import summary
from rma_mamba.cli.help_sections import SectionedCommand

data = typer.Typer(
    name="data",
    help="Check datasets, and prepare them for training.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
for command in (check, prepare, summary):
    data.command(cls=SectionedCommand)(command)

__all__ = ["data"]
