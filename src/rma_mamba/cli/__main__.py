"""The former `python -m rma_mamba.cli`, kept until 0.3.0; use `python -m rma_mamba`."""

from rma_mamba.cli.run import main

main()
