"""Run the command line: errors become one line and an exit code, deprecation warnings one line each."""

from __future__ import annotations

import sys
import traceback

from rma_mamba.cli.app import app
from rma_mamba.cli.command_errors import CommandError
from rma_mamba.cli.console import Console
from rma_mamba.cli.own_warnings import print_own_warnings
from rma_mamba.environment import complete_environment
from rma_mamba.errors import RmaMambaError
from rma_mamba.pipeline.exit_codes import ExitCode, error_message, exit_code_of
from rma_mamba.process import tune_process
from rma_mamba.standard_streams import OutputError, repair_streams


def main() -> None:
    """Run the command line and exit with its exit code."""
    repair_streams()
    complete_environment()
    tune_process()
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run the command line on `arguments` and return its exit code."""
    try:
        with print_own_warnings():
            app(arguments, prog_name="rma-mamba")
    except SystemExit as exit_:
        return exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
    except OutputError as error:
        if error.broken_pipe:  # as with `| head -1`: nobody reads more
            return ExitCode.OUTPUT_CLOSED
        return _fail(RmaMambaError(str(error)), arguments)
    except CommandError as carrier:
        return _fail(carrier.error, arguments)
    except Exception as error:
        return _fail(error, arguments)
    return ExitCode.OK


def _fail(error: Exception, arguments: list[str]) -> int:
    """Print an error, and return its exit code."""
    if {"-v", "--verbose"} & set(arguments):
        traceback.print_exception(error)
    Console().fail(error_message(error))
    return exit_code_of(error)
