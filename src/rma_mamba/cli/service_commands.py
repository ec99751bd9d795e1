"""What the commands of services share: stopping, checks, and the state of a queue."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

import typer

from rma_mamba.cli.console import Console
from rma_mamba.pipeline.exit_codes import ExitCode

if TYPE_CHECKING:
    from rma_mamba.server.node.config import NodeConfig


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set in the block; the command then ends with exit code 0."""
    stop = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        stop.set()

    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, handle)
    yield stop


def check_node(config: NodeConfig, console: Console) -> ExitCode:
    """Print whether each destination answers."""
    from rma_mamba.server.node.node import check_destinations, warnings_about

    console.warn(warnings_about(config))
    problems = check_destinations(config)
    for label, problem in problems.items():
        typer.echo(f"{label}: {problem or 'answers'}")
    return ExitCode.DEVICE_UNAVAILABLE if any(problems.values()) else ExitCode.OK


def show_configuration(name: str) -> None:
    """Print a configuration."""
    from rma_mamba.server.node.config import configuration_text

    typer.echo(configuration_text(name), nl=False)


def show_queue(config: NodeConfig) -> ExitCode:
    """Print the queue of a node, which may be running."""
    from rma_mamba.server.node.queue_report import queue_report

    typer.echo(json.dumps(queue_report(config.listener.folder), indent=2))
    return ExitCode.OK
