"""Commands whose errors reach the caller, and whose usage errors are plain sentences."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand


class CommandError(Exception):
    """Carries an error past Typer."""

    def __init__(self, error: Exception) -> None:
        self.error = error


class PlainErrorCommand(TyperCommand):
    """A command that rephrases errors of pydantic, and carries errors past Typer."""

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


def _plain(message: str) -> str:
    """A message of pydantic as an expectation: "expected a value greater than or equal to 1"."""
    text = message.removeprefix("Value error, ")
    text = text.replace("Input should be a ", "expected a ")
    text = text.replace("Input should be ", "expected a value ")
    return text.partition(", unable to parse")[0]
