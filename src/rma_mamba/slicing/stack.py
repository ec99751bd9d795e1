"""A scan as a sequence of network input slices, computed on access."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from rma_mamba.errors import GridError
from rma_mamba.slicing.aligned_scans import check_channels
from rma_mamba.slicing.calibration import CalibratedVolume, calibrated
from rma_mamba.slicing.grid import SlicePlan
from rma_mamba.slicing.intensity_scale import IntensityScale
from rma_mamba.slicing.recipe import SliceRecipe
from rma_mamba.volume import Mask, Volume

_CHANNELS = 3
_SLICES_AT_A_TIME = 16


@dataclass(frozen=True, eq=False)
class SliceStack:
    """The slices of one scan, inferior to superior: `len(stack)`, `stack[8:16]`; slices are not kept in memory.

    Args:
        volume: The scan; calibrated here unless it already is or a scale is passed.
        recipe: Pixel size, canvas, channels and intensity scaling of the network's input.
        known_scale: The intensities that become 0 and 1; None: computed from the scan.
        known_scales: Those of each channel of a case with several scans; empty: computed from the scans.

    Raises:
        GridError: The field of view is too large for any canvas.
        ConfigError: The scan does not have the channels of the recipe.
    """

    volume: Volume
    recipe: SliceRecipe
    known_scale: IntensityScale | None = None
    known_scales: Mapping[str, IntensityScale] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.recipe.channel_names:
            check_channels(self.volume, self.recipe)
        if self.known_scale is None:
            object.__setattr__(self, "volume", calibrated(self.volume))

    @cached_property
    def plan(self) -> SlicePlan:
        """The geometry between the scan's slices and the canvas."""
        return SlicePlan(self.volume.geometry, self.recipe)

    @cached_property
    def scale(self) -> IntensityScale:
        """The intensities that become 0 and 1."""
        return self.known_scale or IntensityScale.of_volume(calibrated(self.volume), self.recipe)

    def at_tta_scales(self) -> list[SliceStack]:
        """A stack of the same slices with the same intensities for each of the recipe's TTA scales."""
        scales = {name: each.scale for name, each in self.channels.items()}
        return [
            SliceStack(self.volume, self._scaled(factor), self.scale, scales)
            for factor in self.recipe.tta_scales
        ]

    @cached_property
    def channels(self) -> dict[str, SliceStack]:
        """The slices of each scan of a case with several, without missing ones; empty for a single scan."""
        recipe = self.recipe.model_copy(update={"channel_names": ()})
        return {
            name: SliceStack(self.volume.channels[name], recipe, self.known_scales.get(name))
            for name in self.recipe.channel_names
            if name in self.volume.channels
        }

    def _scaled(self, factor: float) -> SliceRecipe:
        changes = {"spacing_mm": self.plan.spacing_mm / factor, "tta_scales": (1.0,)}
        return self.recipe if factor == 1 else self.recipe.model_copy(update=changes)

    def __len__(self) -> int:
        return self.plan.slices

    @cached_property
    def step(self) -> int:
        """Every n-th slice belongs to the same stack of a network with through-plane context; 1 for all others."""
        geometry = self.volume.geometry
        return slice_step(geometry.spacing_mm[geometry.canonical.permutation[0]], self.recipe)

    def __getitem__(self, part: slice) -> npt.NDArray[np.float32]:
        """Slices `start:stop:step` as float32 [slice, channel, height, width] in [0, 1] on the canvas.

        The channels are those of the recipe. Neighbours of a slice are `step` slices away.
        """
        images = self._of_scans(part)
        if not self.recipe.modality_plane:
            return images
        plane = np.full_like(images[:, :1], self.hounsfield)
        return np.concatenate([images, plane], axis=1)

    def _of_scans(self, part: slice) -> npt.NDArray[np.float32]:
        """The three channels of each scan; those of a missing one are black."""
        if not self.recipe.channel_names:
            return self._of_scan(part)
        found = {name: each._of_scan(part) for name, each in self.channels.items()}
        black = np.zeros_like(next(iter(found.values())))
        return np.concatenate(
            [found.get(name, black) for name in self.recipe.channel_names], axis=1
        )

    def _of_scan(self, part: slice) -> npt.NDArray[np.float32]:
        """The three channels of a single scan."""
        indices = np.arange(len(self))[part]
        if not self.recipe.neighbours:
            return np.repeat(self._images(indices)[:, None], _CHANNELS, axis=1)
        distance = part.step or 1
        around = indices[:, None] + distance * np.arange(-1, 2)
        around = np.where((around < 0) | (around >= len(self)), indices[:, None], around)
        needed, place = np.unique(around, return_inverse=True)
        images: npt.NDArray[np.float32] = self._images(needed)[place.reshape(around.shape)]
        return images

    @property
    def hounsfield(self) -> bool:
        """Whether the intensities are Hounsfield units, in all scans if there are several."""
        if self.channels:
            return all(each.hounsfield for each in self.channels.values())
        return isinstance(self.volume, CalibratedVolume) and self.volume.intensity_unit == "HU"

    def _images(self, indices: npt.NDArray[np.intp]) -> npt.NDArray[np.float32]:
        values = self.volume.geometry.canonical.apply(self.volume.values)[indices]
        return self.plan.to_canvas(self.scale.apply(values))


def slice_step(spacing_mm: float | None, recipe: SliceRecipe) -> int:
    """Every n-th slice of a scan belongs to one stack, whose slices are then about `through_plane_mm` apart.

    Args:
        spacing_mm: Slice spacing of the scan; None: unknown.
        recipe: The slice recipe.

    Returns:
        1 for networks without through-plane context.
    """
    if not spacing_mm or recipe.through_plane_mm is None:
        return 1
    return max(1, round(recipe.through_plane_mm / spacing_mm))


def to_slices(
    volume: Volume, recipe: SliceRecipe, start: int = 0, stop: int | None = None
) -> npt.NDArray[np.float32]:
    """Axial slices of a scan as the network sees them, inferior to superior.

    Args:
        volume: The scan, in any axis order.
        recipe: Pixel size, canvas, channels and intensity scaling.
        start: First slice.
        stop: End of the range, exclusive; None: up to the last slice.

    Returns:
        float32 [slice, channel, height, width] in [0, 1], with the channels of the recipe. Use a `SliceStack` to
        process a scan in batches.

    Raises:
        GridError: The field of view is too large for any canvas.
    """
    return SliceStack(volume, recipe)[start:stop]


def to_mask(logits: npt.NDArray[np.float32], recipe: SliceRecipe, volume: Volume) -> Mask:
    """Convert the logits of all slices to a mask on the scan's own grid, inverting the geometry of `to_slices`.

    Args:
        logits: float32 [slice, 1, height, width] on the canvas, inferior to superior.
        recipe: The recipe of the slices.
        volume: The scan.

    Raises:
        GridError: The shape of the logits does not fit this scan and recipe.
    """
    plan = SlicePlan(volume.geometry, recipe)
    if len(logits) != plan.slices:
        raise GridError(
            f"there are logits for {len(logits)} slices; expected {plan.slices}, one for each slice of the scan. "
            "Pass the logits of the whole stack."
        )
    labels = np.zeros(volume.geometry.shape, np.uint8)
    canonical = volume.geometry.canonical.apply(labels)  # a view: writes go to labels
    for start in range(0, plan.slices, _SLICES_AT_A_TIME):
        part = slice(start, start + _SLICES_AT_A_TIME)
        canonical[part] = plan.to_labels(logits[part])
    return Mask(labels, volume.geometry, volume.header)
