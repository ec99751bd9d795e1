"""`rma-mamba info`: versions, networks, devices and weights."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from rma_mamba.cli.shared_options import Verbose


def info(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    verbose: Verbose = False,
) -> None:
    """Print versions, networks, devices and weights.

    Also print which operator backends can run, and why others cannot.
    """
    from rma_mamba.pipeline.inventory import take_inventory

    inventory = take_inventory()
    if as_json:
        typer.echo(json.dumps(inventory, indent=2))
        return
    for heading, entries in inventory.items():
        typer.echo(heading.replace("_", " "))
        width = max(map(len, entries), default=0)
        for name, value in entries.items():
            typer.echo(f"  {name:<{width}}  {value}")
