"""The command line: one command per file, which parses its options, calls the library and prints."""

from rma_mamba.cli.run import main

__all__ = ["main"]
