"""The command `rma-mamba`: its commands, and the options before a command."""

from __future__ import annotations

from typing import Annotated

import typer

from rma_mamba.cli.commands import COMMANDS, GROUPS
from rma_mamba.cli.help_sections import SectionedCommand
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


for command in COMMANDS:
    app.command(cls=SectionedCommand)(command)
for group in GROUPS:
    app.add_typer(group)
