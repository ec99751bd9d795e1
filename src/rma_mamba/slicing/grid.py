"""Resampling of a scan's axial slices to the network's canvas, and back.

On both grids, positions are pixel centres in millimetres from the centre of the slice. Resampling to the canvas and
back therefore causes no shift, whatever the two pixel sizes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from rma_mamba.errors import GridError
from rma_mamba.slicing.recipe import SliceRecipe
from rma_mamba.volume import Geometry

Maps = npt.NDArray[np.float32]

_STRIDE = 32  # coarsest stride of the networks; canvas sizes are multiples of it
_MAX_VOXELS_PER_PIXEL = 100  # along an axis of the canvas; more means wrong units in the header
# A larger field of view means wrong units in the header, and would exhaust memory. Scanners cover half of this.
_MAX_FIELD_MM = 1500
_MAX_CANVAS = 2048  # pixels


@dataclass(frozen=True, eq=False)
class AxisResampler:
    """Linear resampling along one axis: a few weighted source pixels (taps) per target pixel.

    Args:
        index: Source pixels, int [tap, target].
        weight: Their weights, float32 [tap, target]; each column sums to 1.
    """

    index: npt.NDArray[np.intp]
    weight: npt.NDArray[np.float32]

    @classmethod
    def between(
        cls, pixels: int, spacing_mm: float, new_pixels: int, new_spacing_mm: float
    ) -> AxisResampler:
        """Resample a row of pixels to another with the same centre; beyond the ends the outermost pixel is repeated."""
        ratio = new_spacing_mm / spacing_mm
        centres = (np.arange(new_pixels) - (new_pixels - 1) / 2) * ratio + (pixels - 1) / 2
        # rounding errors of an oblique affine must not turn the identity into an interpolation
        centres = np.round(centres, 6)
        # a triangular kernel as wide as the coarser pixel: interpolates when upsampling, averages when downsampling
        reach = max(1.0, ratio)
        first = np.floor(centres - reach).astype(np.intp)
        index = first + np.arange(math.ceil(2 * reach) + 2)[:, None]
        weight = np.maximum(0, 1 - np.abs(index - centres) / reach)
        used = weight.any(axis=1)
        index, weight = np.clip(index[used], 0, pixels - 1), weight[used]
        return cls(index, (weight / weight.sum(axis=0)).astype(np.float32))

    @property
    def nearest(self) -> npt.NDArray[np.intp]:
        """The source pixel with the largest weight, int [target]."""
        heaviest = self.weight.argmax(axis=0)[None]
        found: npt.NDArray[np.intp] = np.take_along_axis(self.index, heaviest, axis=0)[0]
        return found

    def rows(self, maps: Maps) -> Maps:
        """Resample the second last axis of float32 [..., height, width]."""
        resampled: Maps = maps[..., self.index[0], :] * self.weight[0][:, None]
        for index, weight in zip(self.index[1:], self.weight[1:], strict=True):
            resampled += maps[..., index, :] * weight[:, None]
        return resampled

    def columns(self, maps: Maps) -> Maps:
        """Resample the last axis of float32 [..., height, width]."""
        resampled: Maps = np.take(maps, self.index[0], axis=-1) * self.weight[0]
        for index, weight in zip(self.index[1:], self.weight[1:], strict=True):
            resampled += np.take(maps, index, axis=-1) * weight
        return resampled


@dataclass(frozen=True, eq=False)
class SlicePlan:
    """Mapping between the pixels of a scan's axial slices and the network's canvas.

    Args:
        geometry: The scan's grid.
        recipe: Pixel size and canvas of the network input.

    Raises:
        GridError: The field of view is wider than 1500 mm, would need a canvas of more than 2048 pixels, or holds
            more than 100 voxels per canvas pixel.
    """

    geometry: Geometry
    recipe: SliceRecipe

    def __post_init__(self) -> None:
        if min(self._pixel_mm) * _MAX_VOXELS_PER_PIXEL < self.spacing_mm:
            raise GridError(
                f"the axial voxel size is {self._pixel_mm[0]:.3g} x {self._pixel_mm[1]:.3g} mm; expected a "
                "voxel size plausible for a body scan. Check the voxel size and its unit in the scan's header."
            )
        field_mm = [round(size * mm) for size, mm in zip(self.shape, self._pixel_mm, strict=True)]
        if max(field_mm) > _MAX_FIELD_MM or max(self.canvas) > _MAX_CANVAS:
            raise GridError(
                f"the axial field of view is {field_mm[0]} x {field_mm[1]} mm, which needs a canvas of "
                f"{max(self.canvas)} pixels; expected at most {_MAX_FIELD_MM} mm and {_MAX_CANVAS} pixels. "
                "Check the voxel size and its unit in the scan's header."
            )

    @cached_property
    def slices(self) -> int:
        """Number of axial slices."""
        return self.geometry.shape[self.geometry.canonical.permutation[0]]

    @cached_property
    def shape(self) -> tuple[int, int]:
        """Height and width of a slice of the scan in its own pixels."""
        _, row, column = self.geometry.canonical.permutation
        return self.geometry.shape[row], self.geometry.shape[column]

    @cached_property
    def spacing_mm(self) -> float:
        """Pixel size on the canvas."""
        if self.recipe.spacing_mm is not None:
            return self.recipe.spacing_mm
        longest_mm = max(size * mm for size, mm in zip(self.shape, self._pixel_mm, strict=True))
        return longest_mm / self.recipe.size

    @cached_property
    def field(self) -> tuple[int, int]:
        """Height and width of the slice in pixels of the canvas, before padding."""
        height, width = (
            # an excess of a thousandth of a pixel is a rounding error, not another pixel
            max(1, math.ceil(size * mm / self.spacing_mm - 1e-3))
            for size, mm in zip(self.shape, self._pixel_mm, strict=True)
        )
        return height, width

    @cached_property
    def canvas(self) -> tuple[int, int]:
        """Height and width of the network input: `size`, or the next multiple of 32 that contains the field."""
        height, width = (
            max(self.recipe.size, -(-side // _STRIDE) * _STRIDE) for side in self.field
        )
        return height, width

    def to_canvas(self, slices: npt.NDArray[Any]) -> Maps:
        """Resample slices of the scan [slice, row, column] to float32 [slice, height, width] on the canvas."""
        self._check(slices, self.shape)
        rows, columns = self._to_canvas_axes
        resampled = columns.columns(rows.rows(slices.astype(np.float32, copy=False)))
        canvas = np.zeros((len(slices), *self.canvas), np.float32)
        canvas[:, *self._window] = resampled
        return canvas

    def labels_to_canvas(self, labels: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Resample labels [slice, row, column] to [slice, height, width] on the canvas (nearest neighbour)."""
        self._check(labels, self.shape)
        rows, columns = (each.nearest for each in self._to_canvas_axes)
        canvas = np.zeros((len(labels), *self.canvas), labels.dtype)
        canvas[:, *self._window] = labels[:, rows[:, None], columns]
        return canvas

    def from_canvas(self, maps: npt.NDArray[Any]) -> Maps:
        """Resample maps on the canvas [slice, height, width] to float32 [slice, row, column] on the scan's grid."""
        self._check(maps, self.canvas)
        rows, columns = self._from_canvas_axes
        inside = maps[:, *self._window].astype(np.float32, copy=False)
        return columns.columns(rows.rows(inside))

    def to_probabilities(self, logits: npt.NDArray[Any]) -> Maps:
        """Logits [slice, 1, height, width] on the canvas to probabilities [slice, row, column] of the scan."""
        return self.from_canvas(_probabilities(logits))

    def to_squares(self, logits: npt.NDArray[Any], side: int) -> Maps:
        """Logits on the canvas to probabilities [slice, side, side]: the field of view, scaled to a square.

        They are resampled directly, not by way of the scan's own grid.
        """
        maps = _probabilities(logits)
        self._check(maps, self.canvas)
        rows, columns = (
            AxisResampler.between(field, self.spacing_mm, side, size * mm / side)
            for size, mm, field in zip(self.shape, self._pixel_mm, self.field, strict=True)
        )
        return columns.columns(rows.rows(maps[:, *self._window]))

    def to_labels(self, logits: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        """Logits [slice, 1, height, width] on the canvas to labels 0 or 1, uint8 [slice, row, column] of the scan.

        Probabilities are resampled and then thresholded, so that the contour has subpixel accuracy.
        """
        return (self.to_probabilities(logits) > self.recipe.threshold).astype(np.uint8)

    @cached_property
    def _pixel_mm(self) -> tuple[float, float]:
        _, row, column = self.geometry.canonical.permutation
        return self.geometry.spacing_mm[row], self.geometry.spacing_mm[column]

    @cached_property
    def _window(self) -> tuple[slice, slice]:
        top, left = (
            (whole - part) // 2 for whole, part in zip(self.canvas, self.field, strict=True)
        )
        return slice(top, top + self.field[0]), slice(left, left + self.field[1])

    @cached_property
    def _to_canvas_axes(self) -> tuple[AxisResampler, AxisResampler]:
        rows, columns = (
            AxisResampler.between(size, mm, field, self.spacing_mm)
            for size, mm, field in zip(self.shape, self._pixel_mm, self.field, strict=True)
        )
        return rows, columns

    @cached_property
    def _from_canvas_axes(self) -> tuple[AxisResampler, AxisResampler]:
        rows, columns = (
            AxisResampler.between(field, self.spacing_mm, size, mm)
            for size, mm, field in zip(self.shape, self._pixel_mm, self.field, strict=True)
        )
        return rows, columns

    @staticmethod
    def _check(maps: npt.NDArray[Any], expected: tuple[int, int]) -> None:
        if maps.ndim != 3 or maps.shape[1:] != expected:
            raise GridError(
                f"the slices have shape {maps.shape}; expected [slice, {expected[0]}, {expected[1]}]. "
                "Use the SlicePlan of this scan."
            )


def _probabilities(logits: npt.NDArray[Any]) -> Maps:
    """Logits [slice, 1, height, width] to probabilities [slice, height, width]."""
    if logits.ndim != 4 or logits.shape[1] != 1:
        raise GridError(
            f"the logits have shape {logits.shape}; expected [slice, 1, height, width]. "
            "Pass the network's output of the highest resolution."
        )
    probabilities: Maps = 0.5 + 0.5 * np.tanh(0.5 * logits[:, 0].astype(np.float32))
    return probabilities
