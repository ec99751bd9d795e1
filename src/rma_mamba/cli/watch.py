"""`rma-mamba watch`: segment what appears in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rma_mamba.cli.console import Console
from rma_mamba.cli.scan_options import Model
from rma_mamba.cli.service_options import Device, Fast, OutputTypes, Reports, SendTo
from rma_mamba.cli.shared_options import Quiet, Verbose


def watch(
    folder: Annotated[Path, typer.Argument(metavar="IN", help="Folder to watch.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder of the results.")],
    output_type: OutputTypes = None,
    report: Reports = False,
    model: Model = "default",
    device: Device = "auto",
    fast: Fast = False,
    quiet_seconds: Annotated[
        float,
        typer.Option(
            min=0.1,
            metavar="SECONDS",
            help="A scan is complete when its files have not changed for this long.",
        ),
    ] = 5.0,
    send_to: SendTo = None,
    once: Annotated[
        bool, typer.Option("--once", help="End when everything in the folder is done.")
    ] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Segment scans that appear in a folder.

    Runs until it is stopped (Ctrl-C or SIGTERM). A file or series is segmented when it has stopped growing.
    """
    from rma_mamba.cli.service_commands import stopping
    from rma_mamba.pipeline.exit_codes import ExitCode
    from rma_mamba.pipeline.request import NetworkOptions
    from rma_mamba.server.node.remote_study import sendable
    from rma_mamba.server.node.send_address import destinations_of
    from rma_mamba.server.node.watch_request import watch_request
    from rma_mamba.server.node.watched_folder import WatchOptions, watch

    network = NetworkOptions(model, device, fast=fast)
    request = watch_request(network, output_type, report=report, sends=send_to is not None)
    archives = destinations_of(send_to, sendable(request.outputs))
    options = WatchOptions(folder, out, request, quiet_seconds, destinations=archives, once=once)
    with stopping() as stop:
        failed = watch(options, Console(quiet, verbose), stop)
    raise typer.Exit(ExitCode.SOME_CASES_FAILED if once and failed else ExitCode.OK)
