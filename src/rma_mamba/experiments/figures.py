"""Pictures of a benchmark, as PNG: box plots, curves, and the qualitative panel."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rma_mamba.evaluation import CaseScore
from rma_mamba.experiments.panel import PanelRow

_RIGHT, _MISSED, _WRONG = (0.18, 0.62, 0.36), (0.15, 0.45, 0.90), (0.86, 0.20, 0.18)
_COVER = 0.55  # of a colour over the image
_DOTS = 130  # per inch


def draw_boxes(cases: Sequence[CaseScore], group: str) -> bytes:
    """Box plots of Dice by method: of volumes, and of slices with liver by the paper's protocol.

    A box goes from the lower to the upper quartile, whiskers to the furthest value within 1.5 times its height; every
    volume is a dot.
    """
    volumes: dict[str, list[float]] = {}
    slices: dict[str, list[float]] = {}
    for case in cases:
        if case.group == group:
            if case.volume is not None:
                volumes.setdefault(case.method, []).append(case.volume.dice)
            found = [each.values["dice"] for each in case.slices if each.has_liver]
            slices.setdefault(case.method, []).extend(found)
    shown = [
        (title, values)
        for title, values in (("volumes", volumes), ("slices with liver, 256 x 256", slices))
        if values
    ]
    figure = Figure(figsize=(5.5 * len(shown), 1.2 + 0.4 * len(slices)), layout="constrained")
    for axes, (title, values) in zip(
        np.atleast_1d(figure.subplots(1, len(shown))), shown, strict=True
    ):
        _boxes(axes, values, dots=values is volumes)
        axes.set(title=title, xlabel="Dice", xlim=(0, 1))
    return _png(figure)


def _boxes(axes: Axes, values: Mapping[str, Sequence[float]], dots: bool) -> None:
    names = list(values)[::-1]  # the first row of the table on top
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
        for height, name in enumerate(names, start=1):
            axes.plot(values[name], [height] * len(values[name]), "o", ms=4, alpha=0.6, c="#44546a")
    axes.grid(axis="x", alpha=0.3)


def draw_histories(histories: Mapping[str, Mapping[str, Sequence[float]]]) -> bytes:
    """Training loss and validation Dice of every method over its epochs."""
    figure = Figure(figsize=(12, 4.5), layout="constrained")
    loss, dice = figure.subplots(1, 2)
    for name, history in histories.items():
        for axes, key in ((loss, "train_loss"), (dice, "val_dice")):
            axes.plot(history.get(key, []), label=name, linewidth=1.3)
    loss.set(title="training loss", xlabel="epoch", yscale="log")
    dice.set(title="validation Dice, all pixels", xlabel="epoch", ylim=(0, 1))
    for axes in (loss, dice):
        axes.grid(alpha=0.3)
    dice.legend(fontsize=8)
    return _png(figure)


def draw_panel(rows: Sequence[PanelRow]) -> bytes:
    """Image, reference, and each method with its errors in colour, a row each slice.

    Green: found rightly; blue: missed; red: found where there is no liver.
    """
    methods = list(rows[0].found)
    figure = Figure(figsize=(1.9 * (2 + len(methods)), 2.1 * len(rows) + 0.4), layout="constrained")
    grid = figure.subplots(len(rows), 2 + len(methods), squeeze=False)
    for axes, row in zip(grid, rows, strict=True):
        pictures = {
            "image": _grey(row.image),
            "reference": _covered(row.image, [(row.reference, _RIGHT)]),
            **{method: _errors(row, method) for method in methods},
        }
        for each, (title, picture) in zip(axes, pictures.items(), strict=True):
            each.imshow(picture, aspect=row.aspect, interpolation="nearest")
            each.set(xticks=[], yticks=[])
            if row is rows[0]:
                each.set_title(title, fontsize=9)
        axes[0].set_ylabel(row.title, fontsize=9)
    figure.supxlabel("green: right   blue: missed   red: found where there is no liver", fontsize=9)
    return _png(figure)


def _errors(row: PanelRow, method: str) -> npt.NDArray[np.float32]:
    found, true = row.found[method], row.reference
    parts = [(found & true, _RIGHT), (true & ~found, _MISSED), (found & ~true, _WRONG)]
    return _covered(row.image, parts)


def _covered(
    image: npt.NDArray[np.float32],
    parts: Sequence[tuple[npt.NDArray[np.bool_], tuple[float, float, float]]],
) -> npt.NDArray[np.float32]:
    picture = _grey(image)
    for where, colour in parts:
        picture[where] = (1 - _COVER) * picture[where] + _COVER * np.asarray(colour, np.float32)
    return picture


def _grey(image: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.repeat(image[..., None], 3, axis=-1).astype(np.float32)


def _png(figure: Figure) -> bytes:
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=_DOTS)
    return content.getvalue()
