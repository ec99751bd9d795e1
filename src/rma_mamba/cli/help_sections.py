"""Help texts with options grouped under headings, without rich, which would double the time of `--help`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import typer

from rma_mamba.cli.command_errors import PlainErrorCommand


class SectionedCommand(PlainErrorCommand):
    """A command whose help has a section for each `rich_help_panel` of its options, and the others at the end."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """The usage line, with names of arguments as plain words: SCAN, not {SCAN}."""
        return [
            piece.replace("{", "").replace("}", "") for piece in super().collect_usage_pieces(ctx)
        ]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments and options to the help text."""
        sections: dict[str, list[tuple[str, str]]] = {}
        others: list[tuple[str, str]] = []
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            heading = getattr(parameter, "rich_help_panel", None)
            if record is not None and parameter.param_type_name == "argument":
                name, text = record
                sections.setdefault("Arguments", []).append((name.partition(" <")[0], text))
            elif record is not None:
                (sections.setdefault(heading, []) if heading else others).append(record)
        sections["Options"] = others
        for heading, records in sections.items():
            with formatter.section(heading):
                formatter.write_dl(records)


def command_group(
    name: str, description: str, commands: tuple[Callable[..., None], ...]
) -> typer.Typer:
    """A command with subcommands, such as `rma-mamba data check`.

    Args:
        name: Name of the group.
        description: Help of the group.
        commands: Its subcommands, named as the functions.
    """
    group = typer.Typer(name=name, help=description, no_args_is_help=True, rich_markup_mode=None)
    for command in commands:
        group.command(cls=SectionedCommand)(command)
    return group
