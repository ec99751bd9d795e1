"""The former `python -m rma_mamba.cli`, kept until 0.3.0; use `python -m rma_mamba`."""

from rma_mamba.cli.console import Console
from rma_mamba.cli.run import main
from rma_mamba.deprecation import REMOVED_IN

Console().warn(
    [
        f"python -m rma_mamba.cli is deprecated and will be removed in {REMOVED_IN}; use python -m rma_mamba."
    ]
)
main()
