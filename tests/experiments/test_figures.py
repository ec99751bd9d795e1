"""Figures show what they claim."""

import io

import numpy as np
import pytest
from PIL import Image

from rma_mamba.experiments.figures import draw_histories, draw_panel
from rma_mamba.experiments.panel import PanelRow


def colours(png: bytes) -> set[str]:
    """Which of the three colours dominate somewhere."""
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
def test_the_panel_tells_right_missed_and_wrong_apart(columns: slice, expected: set[str]) -> None:
    reference, found = np.zeros((2, 20, 20), bool)
    reference[4:12, 4:12] = True
    found[4:12, columns] = True
    row = PanelRow("patient", np.full((20, 20), 0.5, np.float32), reference, {"ours": found}, 1.5)
    assert colours(draw_panel([row])) == expected


def test_histories_of_different_lengths_share_a_figure() -> None:
    history = {"train_loss": [2.0, 1.0], "val_dice": [0.1, 0.5]}
    png = draw_histories({"long": history, "none": {}})
    assert Image.open(io.BytesIO(png)).size[0] > 500
