"""The command `rma-mamba`: its commands, and the options before a command."""

from __future__ import annotations

from typing import Annotated

import typer

from rma_mamba.cli.benchmark import benchmark
from rma_mamba.cli.data import data
from rma_mamba.cli.demo import demo
from rma_mamba.cli.evaluate import evaluate
from rma_mamba.cli.help_sections import SectionedCommand
from rma_mamba.cli.info import info
from rma_mamba.cli.measure import measure
from rma_mamba.cli.pretrain import pretrain
from rma_mamba.cli.score import score
from rma_mamba.cli.segment import segment
from rma_mamba.cli.series import series
from rma_mamba.cli.train import train
from rma_mamba.cli.weights import weights
from rma_mamba.conventions import software

app = typer.Typer(
    name="rma-mamba",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # importing rich would take a quarter of the time of `--help`
    pretty_exceptions_enable=False,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "token_normalize_func": lambda token: token.replace("_", "-"),  # --output_type
    },
)


def _print_version(requested: bool) -> None:
    if requested:
        typer.echo(software())
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Segment the liver in CT and MR scans. Research software, not a medical device."""


for command in (segment, series, measure, score, evaluate, train, pretrain, benchmark, info, demo):
    app.command(cls=SectionedCommand)(command)
app.add_typer(data)
app.add_typer(weights)
