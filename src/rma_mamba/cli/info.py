"""`rma-mamba info`: what is installed, what can run, and what is missing."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from rma_mamba.cli.options import Verbose


def info(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    verbose: Verbose = False,
) -> None:
    """Show versions, models, operator backends, devices and embedded weights."""
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
