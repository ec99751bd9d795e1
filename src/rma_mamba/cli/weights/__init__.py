"""`rma-mamba weights`: inspect, export and average the weights of training runs."""

from rma_mamba.cli.help_sections import command_group
from rma_mamba.cli.weights.average import average
from rma_mamba.cli.weights.describe import info
from rma_mamba.cli.weights.export import export

weights = command_group(
    "weights", "Inspect, export and average the weights of training runs.", (average, export, info)
)

__all__ = ["weights"]
