"""Bar chart of the times of whole networks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure

_OURS, _OTHERS = "#c0603f", "#8a94a0"


def draw(milliseconds: Mapping[str, float], path: Path) -> None:
    """Horizontal bars on a logarithmic axis, fastest on top, with the networks of this project highlighted."""
    names = sorted(milliseconds, key=lambda name: milliseconds[name], reverse=True)
    figure = Figure(figsize=(8, 0.5 + 0.4 * len(names)), layout="constrained")
    axes = figure.subplots()
    # The sequential loop is not an implementation of this project.
    colours = [
        _OURS if name.startswith("rma-mamba") and "loop" not in name else _OTHERS for name in names
    ]
    bars = axes.barh(names, [milliseconds[name] for name in names], color=colours)
    axes.bar_label(bars, fmt="%.0f", padding=3, fontsize=9)
    axes.set_xscale("log")
    axes.set_xlabel("forward pass of one 256 x 256 slice in ms (lower is better)")
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlim(left=10, right=2 * max(milliseconds.values()))
    figure.savefig(path, dpi=110)
