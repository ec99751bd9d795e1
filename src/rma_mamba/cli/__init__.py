"""The command line: one command a file; each parses, calls the library and prints."""

from rma_mamba.cli.app import main

__all__ = ["main"]
