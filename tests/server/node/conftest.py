"""Fixtures of the node: see tests/support/command_line.py."""

from command_line import command, scan, segmenter, tiny

__all__ = ["command", "scan", "segmenter", "tiny"]
