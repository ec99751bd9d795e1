"""A scan as the sequence of slices that the network sees, made as they are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from rma_mamba.errors import GridError
from rma_mamba.slicing.grid import SlicePlan
from rma_mamba.slicing.intensity import IntensityScale
from rma_mamba.slicing.recipe import SliceRecipe
from rma_mamba.volume import Mask, Volume

_CHANNELS = 3
_SLICES_AT_A_TIME = 16


@dataclass(frozen=True, eq=False)
class SliceStack:
    """The slices of one scan from foot to head: `len(stack)`, `stack[8:16]`; nothing is kept in memory.

    Args:
        volume: The scan.
        recipe: What the network wants to see.
        known_scale: The grey values that become 0 and 1; None: found in the volume.

    Raises:
        GridError: The field of view is too wide for any canvas.
    """

    volume: Volume
    recipe: SliceRecipe
    known_scale: IntensityScale | None = None

    @cached_property
    def plan(self) -> SlicePlan:
        """The geometry of the way there and back."""
        return SlicePlan(self.volume.geometry, self.recipe)

    @cached_property
    def scale(self) -> IntensityScale:
        """The grey values that become 0 and 1."""
        return self.known_scale or IntensityScale.of_volume(self.volume, self.recipe)

    def views(self) -> list[SliceStack]:
        """A stack of the same slices, in the same grey values, for each of the recipe's magnifications."""
        return [
            SliceStack(self.volume, self._magnified(factor), self.scale)
            for factor in self.recipe.magnifications
        ]

    def _magnified(self, factor: float) -> SliceRecipe:
        changes = {"spacing_mm": self.plan.spacing_mm / factor, "magnifications": (1.0,)}
        return self.recipe if factor == 1 else self.recipe.model_copy(update=changes)

    def __len__(self) -> int:
        return self.plan.slices

    def __getitem__(self, wanted: slice) -> npt.NDArray[np.float32]:
        """Slices `start:stop` as float32 [slice, 3, height, width] in [0, 1] on the canvas."""
        chosen = np.arange(len(self))[wanted]
        if not self.recipe.neighbours:
            return np.repeat(self._images(chosen)[:, None], _CHANNELS, axis=1)
        around = np.clip(chosen[:, None] + (-1, 0, 1), 0, len(self) - 1)
        needed, place = np.unique(around, return_inverse=True)
        return self._images(needed)[place.reshape(around.shape)]

    def _images(self, chosen: npt.NDArray[np.intp]) -> npt.NDArray[np.float32]:
        values = self.volume.geometry.canonical.apply(self.volume.values)[chosen]
        return self.plan.to_canvas(self.scale.apply(values))


def to_slices(
    volume: Volume, recipe: SliceRecipe, start: int = 0, stop: int | None = None
) -> npt.NDArray[np.float32]:
    """Axial slices of a scan as the network sees them, from foot to head.

    Args:
        volume: The scan, in any axis order.
        recipe: Pixel size, canvas, channels and grey scale.
        start: First slice.
        stop: End of the range; None: the last slice is included.

    Returns:
        float32 [slice, 3, height, width] in [0, 1]. For many batches of one scan keep a `SliceStack`.

    Raises:
        GridError: The field of view is too wide for any canvas.
    """
    return SliceStack(volume, recipe)[start:stop]


def to_mask(logits: npt.NDArray[np.float32], recipe: SliceRecipe, volume: Volume) -> Mask:
    """Logits of all slices, back on the scan's own grid: the exact inverse of the geometry of `to_slices`.

    Args:
        logits: float32 [slice, 1, height, width] on the canvas, from foot to head.
        recipe: The recipe with which the slices were made.
        volume: The scan.

    Raises:
        GridError: The logits do not have the shape that this scan and recipe give.
    """
    plan = SlicePlan(volume.geometry, recipe)
    if len(logits) != plan.slices:
        raise GridError(
            f"there are logits of {len(logits)} slices; expected {plan.slices}, all slices of the scan. "
            "Pass the logits of the whole stack."
        )
    labels = np.zeros(volume.geometry.shape, np.uint8)
    canonical = volume.geometry.canonical.apply(
        labels
    )  # a view: what is written here lands in labels
    for start in range(0, plan.slices, _SLICES_AT_A_TIME):
        part = slice(start, start + _SLICES_AT_A_TIME)
        canonical[part] = plan.to_labels(logits[part])
    return Mask(labels, volume.geometry, volume.header)
