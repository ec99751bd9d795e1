"""`rma-mamba node`: segment the studies that a PACS sends, and send the results back."""

from __future__ import annotations

from typing import Annotated

import typer

from rma_mamba.cli.console import Console
from rma_mamba.cli.shared_options import Quiet, Verbose


def node(
    configuration: Annotated[
        str,
        typer.Argument(
            metavar="CONFIG", help="TOML file, or 'orthanc' for Orthanc on this machine."
        ),
    ],
    check: Annotated[
        bool,
        typer.Option("--check", help="Check the configuration, connect to each destination, exit."),
    ] = False,
    show: Annotated[
        bool, typer.Option("--show", help="Print the configuration file as a template, and exit.")
    ] = False,
    status: Annotated[
        bool, typer.Option("--status", help="Print the queue of the node as JSON, and exit.")
    ] = False,
    retry: Annotated[
        bool, typer.Option("--retry", help="Start, and try failed studies again.")
    ] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Segment studies from a PACS, and send results back.

    Runs until it is stopped (Ctrl-C or SIGTERM). It listens for C-STORE and C-ECHO, and sends by C-STORE or STOW-RS.
    """
    from rma_mamba.cli.service_commands import check_node, show_configuration, show_queue, stopping
    from rma_mamba.server.node.config import load_config

    console = Console(quiet, verbose)
    if show:
        show_configuration(configuration)
        return
    config = load_config(configuration)
    if check or status:
        raise typer.Exit(check_node(config, console) if check else show_queue(config))
    from rma_mamba.server.node.node import Node

    with stopping() as stop:
        Node(config, console).run(stop, retry=retry)
