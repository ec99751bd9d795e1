"""The command `rma-mamba` itself: options before a command, and the road of every error."""

from __future__ import annotations

import sys
import traceback
from typing import Annotated

import typer

from rma_mamba.cli.benchmark import benchmark
from rma_mamba.cli.data import data
from rma_mamba.cli.demo import demo
from rma_mamba.cli.evaluate import evaluate
from rma_mamba.cli.info import info
from rma_mamba.cli.measure import measure
from rma_mamba.cli.score import score
from rma_mamba.cli.segment import segment
from rma_mamba.cli.series import series
from rma_mamba.cli.train import train
from rma_mamba.pipeline.exit_codes import describe
from rma_mamba.process import tune_process

# No rich markup: it would cost a quarter of the time in which `--help` has to answer.
app = typer.Typer(
    name="rma-mamba",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={
        "help_option_names": ["-h", "--help"],
        # --output_type is --output-type
        "token_normalize_func": lambda token: token.replace("_", "-"),
    },
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"rma-mamba {version('rma-mamba')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Liver segmentation in CT and MR. Research software, not a medical device."""


app.command()(segment)
app.command()(series)
app.command()(train)
app.command()(evaluate)
app.command()(benchmark)
app.command()(score)
app.command()(measure)
app.command()(info)
app.command()(demo)
app.add_typer(data)


def main() -> None:
    """Run the command line and leave the process with its exit code."""
    tune_process()
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run the command line on `arguments` and return its exit code."""
    try:
        app(arguments, prog_name="rma-mamba")
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except Exception as error:
        return _report(error, verbose=bool({"-v", "--verbose"} & set(arguments)))
    return 0


def _report(error: BaseException, *, verbose: bool) -> int:
    if verbose:
        traceback.print_exception(error)
    message, code = describe(error)
    typer.echo(f"rma-mamba: error: {message}", err=True)
    return code
