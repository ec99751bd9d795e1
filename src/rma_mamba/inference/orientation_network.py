"""A very small network that predicts orientation, height and the presence of liver from thumbnails of the body.

Left/right and anterior/posterior are predicted from all mirror images of a thumbnail: for a mirrored scan the result is
exactly the opposite, so neither direction is favoured. Heights are defined as in body part regression (Yan et al.,
arXiv:1707.03891), in decimetres, so that they also give the slice spacing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from rma_mamba.errors import WeightsError
from rma_mamba.models.stored_weights import embedded_weights, read_arrays

NAME = "orientation"  # of the bundled weights
OUTPUTS = 4
_ROWS, _COLUMNS = -2, -1
# Number of each convolution in the weights, its stride, and whether its outputs are pooled.
_STEPS: Final = ((0, 2, False), (4, 2, False), (8, 1, True), (12, 2, False))
_LINEAR: Final = (2, 4)  # numbers of the linear layers
_EPSILON: Final = 1e-5  # of the batch normalisation

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class SlicePredictions:
    """Predictions for each thumbnail, as arrays [slice].

    Args:
        right: Log-odds that left and right are as in the header.
        anterior: The same for anterior and posterior.
        height_dm: Height in the body, increasing from inferior to superior, in decimetres from an arbitrary origin.
        liver: Log-odds that the slice contains liver.
    """

    right: Floats
    anterior: Floats
    height_dm: Floats
    liver: Floats


class OrientationNetwork:
    """Four convolutions and two linear layers, 38 thousand parameters: few enough for NumPy.

    Args:
        weights: Arrays by name, as `scripts/train_orientation.py` writes them.

    Raises:
        WeightsError: A parameter is missing or has another shape.
    """

    def __init__(self, weights: Mapping[str, npt.NDArray[Any]]) -> None:
        try:
            self._convolutions = [_folded(weights, number) for number, _, _ in _STEPS]
            self._linear = [
                tuple(
                    np.asarray(weights[f"answers.{number}.{part}"], np.float32)
                    for part in ("weight", "bias")
                )
                for number in _LINEAR
            ]
            self(np.zeros((1, 48, 48), np.float32))
        except (KeyError, ValueError):
            raise WeightsError(
                f"the weights '{NAME}' do not fit this version; expected the weights bundled with it. Reinstall it."
            ) from None

    def __call__(self, thumbnails: Floats) -> Floats:
        """Thumbnails [slice, SIDE, SIDE] to outputs [slice, 4], in the order of `SlicePredictions`."""
        x = thumbnails[..., None]
        for (weight, bias), (_, stride, pooled) in zip(self._convolutions, _STEPS, strict=True):
            x = np.maximum(_convolved(x, weight, stride) + bias, 0)
            if pooled:
                count, height, width, channels = x.shape
                x = x.reshape(count, height // 2, 2, width // 2, 2, channels).max(axis=(2, 4))
        x = x.transpose(0, 3, 1, 2).reshape(len(x), -1)
        (hidden, hidden_bias), (answers, answers_bias) = self._linear
        x = np.maximum(x @ hidden.T + hidden_bias, 0)
        return np.asarray(x @ answers.T + answers_bias, np.float32)

    def predict(self, thumbnails: Floats) -> SlicePredictions:
        """Predictions from all four mirror images of each thumbnail [slice, SIDE, SIDE]."""
        images = [
            np.flip(thumbnails, axes) for axes in ((), (_ROWS,), (_COLUMNS,), (_ROWS, _COLUMNS))
        ]
        original, rows, columns, both = self(np.concatenate(images)).reshape(4, -1, OUTPUTS)
        same = original + rows + columns + both
        return SlicePredictions(
            (original + rows - columns - both)[:, 0] / np.float32(4),
            (original - rows + columns - both)[:, 1] / np.float32(4),
            same[:, 2] / np.float32(4),
            same[:, 3] / np.float32(4),
        )


@cache
def orientation_network() -> OrientationNetwork:
    """The network with the bundled weights.

    Raises:
        WeightsError: The weights are corrupt.
    """
    with embedded_weights(NAME) as path:
        return OrientationNetwork(read_arrays(path).state)


def _folded(weights: Mapping[str, npt.NDArray[Any]], number: int) -> tuple[Floats, Floats]:
    """A convolution [row, column, input, output] with its batch normalisation, and its bias."""
    norm = {
        part: np.asarray(weights[f"features.{number + 1}.{part}"], np.float32)
        for part in ("weight", "bias", "running_mean", "running_var")
    }
    scale = norm["weight"] / np.sqrt(norm["running_var"] + np.float32(_EPSILON))
    weight = np.asarray(weights[f"features.{number}.weight"], np.float32)
    folded = weight.transpose(2, 3, 1, 0) * scale
    return np.ascontiguousarray(folded), norm["bias"] - norm["running_mean"] * scale


def _convolved(x: Floats, weight: Floats, stride: int) -> Floats:
    """A padded convolution of [slice, row, column, channel]."""
    side = len(weight)
    padded = np.pad(x, ((0, 0), (side // 2, side // 2), (side // 2, side // 2), (0, 0)))
    windows = sliding_window_view(padded, (side, side), axis=(1, 2))[:, ::stride, ::stride]
    return np.asarray(np.tensordot(windows, weight, axes=((4, 5, 3), (0, 1, 2))))
