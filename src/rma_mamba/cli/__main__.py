"""`python -m rma_mamba.cli` is the command `rma-mamba`."""

from rma_mamba.cli.app import main

main()
