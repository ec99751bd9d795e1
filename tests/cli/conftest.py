"""Fixtures of the command line: see tests/support/command_line.py."""

from command_line import command, scan, segmenter, tiny

__all__ = ["command", "scan", "segmenter", "tiny"]
