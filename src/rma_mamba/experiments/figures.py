"""Figures of a benchmark, as PNG: box plots, learning curves, and example slices of all networks."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from rma_mamba.evaluation import CaseScore
from rma_mamba.evaluation.metric_samples import Protocol, averaged_over_runs, metric_samples
from rma_mamba.experiments.panel import PanelRow

_TRUE_POSITIVE, _FALSE_NEGATIVE, _FALSE_POSITIVE = (
    (0.18, 0.62, 0.36),
    (0.15, 0.45, 0.90),
    (0.86, 0.20, 0.18),
)
History = Mapping[str, Sequence[float]]  # values of each epoch by name

_OPACITY = 0.55  # of colours over the image
_DPI = 130
_MAX_MARKED_EPOCHS = 30  # epochs up to which each one is marked with a dot
_TITLE_LETTERS = 20  # in a line of a title, which fits the width of a picture


def draw_boxes(cases: Sequence[CaseScore], group: str) -> bytes:
    """Box plots of the Dice of each method, for volumes and for liver-containing slices under the paper's protocol.

    A box spans the quartiles; whiskers extend to the furthest value within 1.5 times the interquartile range. Each
    volume is also shown as a dot. Volumes and slices are averaged over the runs of a method.
    """
    volumes = _dices(cases, group, "per_volume")
    slices = _dices(cases, group, "paper_per_slice_liver")
    plots = [
        (title, values)
        for title, values in (("volumes", volumes), ("liver-containing slices, 256 x 256", slices))
        if values
    ]
    figure = Figure(figsize=(5.5 * len(plots), 1.2 + 0.4 * len(slices)), layout="constrained")
    for axes, (title, values) in zip(
        np.atleast_1d(figure.subplots(1, len(plots))), plots, strict=True
    ):
        _boxes(axes, values, dots=values is volumes)
        axes.set(title=title, xlabel="Dice", xlim=(0, 1))
    return _png(figure)


def _dices(cases: Sequence[CaseScore], group: str, protocol: Protocol) -> dict[str, list[float]]:
    """Dice of each volume or slice by method, mean over its runs."""
    members = [case for case in cases if case.group == group]
    return {
        each.method: [sample.value for sample in averaged_over_runs(each.samples)]
        for each in metric_samples(members)
        if (each.protocol, each.metric) == (protocol, "dice")
    }


def _boxes(axes: Axes, values: Mapping[str, Sequence[float]], dots: bool) -> None:
    names = list(values)[::-1]  # matplotlib draws from bottom to top
    axes.boxplot(
        [values[name] for name in names],
        orientation="horizontal",
        tick_labels=names,
        showfliers=not dots,
        widths=0.6,
        medianprops={"color": "#c0603f", "linewidth": 1.6},
        flierprops={"marker": ".", "markersize": 3, "alpha": 0.5},
    )
    if dots:
        for position, name in enumerate(names, start=1):
            axes.plot(
                values[name], [position] * len(values[name]), "o", ms=4, alpha=0.6, c="#44546a"
            )
    axes.grid(axis="x", alpha=0.3)


def draw_histories(histories: Mapping[str, Sequence[History]]) -> bytes:
    """Training loss and validation Dice of each method against the epoch; one curve for each of its runs."""
    figure = Figure(figsize=(12, 4.5), layout="constrained")
    loss, dice = figure.subplots(1, 2)
    for number, (name, runs) in enumerate(histories.items()):
        for place, history in enumerate(runs):
            label = "_" if place else name  # one entry of the legend for all runs
            for axes, key in ((loss, "train_loss"), (dice, "val_dice")):
                values = history.get(key, [])
                marker = "." if len(values) < _MAX_MARKED_EPOCHS else ""  # a line needs two epochs
                axes.plot(values, f"C{number % 10}", label=label, linewidth=1.3, marker=marker)
    loss.set(title="training loss", xlabel="epoch", yscale="log")
    dice.set(title="validation Dice, pooled pixels", xlabel="epoch", ylim=(0, 1))
    for axes in (loss, dice):
        axes.grid(alpha=0.3)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    dice.legend(fontsize=8)
    return _png(figure)


def draw_panel(rows: Sequence[PanelRow]) -> bytes:
    """Image, reference, and the errors of each method, one row per slice.

    Green: true positive; blue: false negative; red: false positive.
    """
    methods = list(rows[0].found)
    figure = Figure(figsize=(1.9 * (2 + len(methods)), 2.1 * len(rows) + 0.4), layout="constrained")
    grid = figure.subplots(len(rows), 2 + len(methods), squeeze=False)
    for axes, row in zip(grid, rows, strict=True):
        images = {
            "image": _grey(row.image),
            "reference": _overlaid(row.image, [(row.reference, _TRUE_POSITIVE)]),
            **{method: _errors(row, method) for method in methods},
        }
        for each, (title, image) in zip(axes, images.items(), strict=True):
            each.imshow(image, aspect=row.aspect, interpolation="nearest")
            each.set(xticks=[], yticks=[])
            if row is rows[0]:
                each.set_title(textwrap.fill(title, _TITLE_LETTERS), fontsize=9)
        axes[0].set_ylabel(textwrap.fill(row.title, _TITLE_LETTERS), fontsize=9)
    figure.supxlabel(
        "green: true positive   blue: false negative   red: false positive", fontsize=9
    )
    return _png(figure)


def _errors(row: PanelRow, method: str) -> npt.NDArray[np.float32]:
    found, true = row.found[method], row.reference
    overlays = [
        (found & true, _TRUE_POSITIVE),
        (true & ~found, _FALSE_NEGATIVE),
        (found & ~true, _FALSE_POSITIVE),
    ]
    return _overlaid(row.image, overlays)


def _overlaid(
    image: npt.NDArray[np.float32],
    overlays: Sequence[tuple[npt.NDArray[np.bool_], tuple[float, float, float]]],
) -> npt.NDArray[np.float32]:
    coloured = _grey(image)
    for where, colour in overlays:
        tint = np.asarray(colour, np.float32)
        coloured[where] = (1 - _OPACITY) * coloured[where] + _OPACITY * tint
    return coloured


def _grey(image: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.repeat(image[..., None], 3, axis=-1).astype(np.float32)


def _png(figure: Figure) -> bytes:
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=_DPI)
    return content.getvalue()
