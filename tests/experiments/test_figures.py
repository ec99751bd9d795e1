"""Figures show the errors and curves that they describe."""

import io
import itertools

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from rma_mamba.evaluation import CaseName, CaseScore, score_case
from rma_mamba.experiments.figures import draw_boxes, draw_histories, draw_panel
from rma_mamba.experiments.panel import PanelRow
from rma_mamba.volume import Geometry


def colours(png: bytes) -> set[str]:
    """Which of the three colours dominate in some region."""
    red, green, blue = np.moveaxis(
        np.asarray(Image.open(io.BytesIO(png)).convert("RGB"), int), 2, 0
    )
    strong = {
        "red": (red > green + 40) & (red > blue + 40),
        "green": (green > red + 40) & (green > blue + 25),
        "blue": (blue > red + 40) & (blue > green + 25),
    }
    return {name for name, where in strong.items() if where.sum() > 50}


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (slice(4, 12), {"green"}),
        (slice(4, 8), {"green", "blue"}),
        (slice(4, 16), {"green", "red"}),
    ],
)
def test_the_panel_distinguishes_true_positives_and_both_kinds_of_errors(
    columns: slice, expected: set[str]
) -> None:
    reference, found = np.zeros((2, 20, 20), bool)
    reference[4:12, 4:12] = True
    found[4:12, columns] = True
    row = PanelRow("patient", np.full((20, 20), 0.5, np.float32), reference, {"ours": found}, 1.5)
    assert colours(draw_panel([row])) == expected


def test_histories_of_different_lengths_share_a_figure() -> None:
    history = {"train_loss": [2.0, 1.0], "val_dice": [0.1, 0.5]}
    png = draw_histories({"long": [history], "none": [{}]})
    assert Image.open(io.BytesIO(png)).size[0] > 500


def test_a_single_epoch_is_visible() -> None:
    history = {"train_loss": [2.0], "val_dice": [0.5]}
    one, none = (
        draw_histories({"a": [each]}) for each in (history, {"train_loss": [], "val_dice": []})
    )
    coloured = [
        (np.ptp(np.asarray(Image.open(io.BytesIO(x)).convert("RGB")), axis=-1) > 60).sum()
        for x in (one, none)
    ]
    assert coloured[0] > coloured[1] + 20  # the legend's line is in both


def test_titles_of_the_panel_do_not_overlap(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"A network with a rather long name, variant {number}" for number in range(4)]
    mask = np.ones((20, 20), bool)
    image = np.full((20, 20), 0.5, np.float32)
    row = PanelRow(
        "patient 0123456789-0123456789-0123456789", image, mask, dict.fromkeys(names, mask), 1.0
    )
    drawn: list[Figure] = []
    monkeypatch.setattr(
        "rma_mamba.experiments.figures._png", lambda figure: drawn.append(figure) or b""
    )
    draw_panel([row])
    figure = drawn[0]
    figure.canvas.draw()
    boxes = [axes.title.get_window_extent() for axes in figure.axes]
    assert all(left.x1 <= right.x0 for left, right in itertools.pairwise(boxes))
    (label,) = [axes.yaxis.label for axes in figure.axes if axes.get_ylabel()]
    assert label.get_window_extent().height <= figure.bbox.height


def case(method: str, *, single_slice: bool, group: str = "MR") -> CaseScore:
    """A case whose prediction misses half of the liver."""
    reference = np.zeros((12, 12, 3), np.uint8)
    reference[2:8, 2:8, 1] = 1
    found = reference.copy()
    found[5:] = 0
    name = CaseName(method, group, group, "1", "case")
    geometry = Geometry(reference.shape, np.eye(4))
    return score_case(name, reference, found, geometry, single_slice=single_slice)


def width(cases: list[CaseScore]) -> int:
    return Image.open(io.BytesIO(draw_boxes(cases, "MR"))).size[0]


def test_box_plots_of_volumes_are_drawn_only_if_there_are_volumes() -> None:
    volumes = [case(method, single_slice=False) for method in ("a", "b")]
    slices = [case(method, single_slice=True) for method in ("a", "b")]
    assert width(volumes) == 2 * width(slices)
    other_group = case("a", single_slice=False, group="CT")
    assert width([*slices, other_group]) == width(slices)
