"""Help texts with options grouped under headings, without rich, which would double the time of `--help`."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand


class CommandError(Exception):
    """Carries an error past Typer."""

    def __init__(self, error: Exception) -> None:
        self.error = error


class SectionedCommand(TyperCommand):
    """A command whose help has a section for each `rich_help_panel` of its options, and the others at the end."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse arguments; errors are without the words that pydantic adds to them."""
        try:
            return super().parse_args(ctx, args)
        except Exception as error:
            message = getattr(error, "message", None)
            if isinstance(message, str):
                error.message = _plain(message)  # type: ignore[attr-defined]
            raise

    def invoke(self, ctx: Any) -> Any:
        """Run the command. Typer would end on these errors as if the user had stopped it, with "Aborted!" or no word.

        Raises:
            CommandError: A file ended early, or a pipe has lost its reader.
        """
        try:
            return super().invoke(ctx)
        except (EOFError, BrokenPipeError) as error:
            raise CommandError(error) from error

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


def _plain(message: str) -> str:
    """A message of pydantic as an expectation: "expected a value greater than or equal to 1"."""
    text = message.removeprefix("Value error, ")
    text = text.replace("Input should be a ", "expected a ")
    text = text.replace("Input should be ", "expected a value ")
    return text.partition(", unable to parse")[0]
