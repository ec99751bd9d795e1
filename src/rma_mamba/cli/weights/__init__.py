"""`rma-mamba weights`: inspect, export and average the weights of training runs."""

import typer

from rma_mamba.cli.help_sections import SectionedCommand
from rma_mamba.cli.weights.average import average
from rma_mamba.cli.weights.describe import info
from rma_mamba.cli.weights.export import export

weights = typer.Typer(
    name="weights",
    help="Inspect, export and average the weights of training runs.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
for command in (average, export, info):
    weights.command(cls=SectionedCommand)(command)

__all__ = ["weights"]
