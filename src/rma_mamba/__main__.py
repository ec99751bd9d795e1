"""Run the command line: `python -m rma_mamba` is the same as `rma-mamba`."""

from rma_mamba.cli import main

main()
