"""`rma-mamba data`: check datasets, and prepare them for training."""

from rma_mamba.cli.data.check import check
from rma_mamba.cli.data.prepare import prepare
from rma_mamba.cli.data.summary import summary
from rma_mamba.cli.help_sections import command_group

data = command_group(
    "data", "Check datasets, and prepare them for training.", (check, prepare, summary)
)

__all__ = ["data"]
