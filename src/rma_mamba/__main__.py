"""`python -m rma_mamba` is the command `rma-mamba`."""

from rma_mamba.cli import main

main()
