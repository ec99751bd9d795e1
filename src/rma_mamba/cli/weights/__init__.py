"""`rma-mamba weights`: inspect, export, average and combine the weights of training runs."""

from rma_mamba.cli.help_sections import command_group
from rma_mamba.cli.weights.average import average
from rma_mamba.cli.weights.combine import ensemble
from rma_mamba.cli.weights.describe import info
from rma_mamba.cli.weights.export import export

weights = command_group(
    "weights",
    "Inspect, export, average and combine weights of training runs.",
    (average, ensemble, export, info),
)

__all__ = ["weights"]
