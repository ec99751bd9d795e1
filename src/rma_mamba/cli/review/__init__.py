"""`rma-mamba review`: what becomes of reviewed cases."""

from rma_mamba.cli.help_sections import command_group
from rma_mamba.cli.review.export import export

review = command_group("review", "Use reviewed cases: export them for training.", (export,))

__all__ = ["review"]
