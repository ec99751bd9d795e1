"""Where a quality flag points: a voxel that a viewer can show."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from rma_mamba.reporting.mask_evidence import MaskEvidence
from rma_mamba.reporting.measure import FACES, Face, measure
from rma_mamba.volume import Mask, Volume

Voxel = tuple[int, int, int]
Bits = npt.NDArray[np.bool_]

_SMOOTH_MM = 4.0


@dataclass(frozen=True, eq=False)
class FlagPlaces:
    """Finds the places of flags.

    Args:
        mask: The mask.
        scan: The scan on the same grid.
        evidence: Evidence in the scan against the mask.
        entropy: Voxel-wise uncertainty on the same grid; None if unknown.
    """

    mask: Mask
    scan: Volume
    evidence: MaskEvidence
    entropy: npt.NDArray[Any] | None = None

    def of(self, codes: Iterable[str]) -> dict[str, dict[str, list[float]]]:
        """Voxel (i, j, k) and position (RAS+ mm) by flag code; flags without a place are omitted."""
        found: dict[str, dict[str, list[float]]] = {}
        for code in dict.fromkeys(codes):
            finder = _FINDERS.get(code)
            place = finder(self) if finder is not None and self._inside.any() else None
            if place is not None:
                voxel = self._stored(place)
                mm = self.mask.geometry.affine @ [*voxel, 1]
                found[code] = {"voxel": [*voxel], "mm": [round(float(each), 2) for each in mm[:3]]}
        return found

    @cached_property
    def _inside(self) -> Bits:
        """The mask in canonical order."""
        return self.mask.geometry.canonical.apply(self.mask.labels) > 0

    def _stored(self, place: Voxel) -> Voxel:
        """A voxel in canonical order as a voxel of the file."""
        order, shape = self.mask.geometry.canonical, self.mask.geometry.shape
        voxel = [0, 0, 0]
        for position, axis, flip in zip(place, order.permutation, order.flips, strict=True):
            voxel[axis] = shape[axis] - 1 - position if flip else position
        return voxel[0], voxel[1], voxel[2]

    def at_centre(self) -> Voxel:
        """In the slice with the largest area."""
        return self.in_plane(0, int(self._inside.sum(axis=(1, 2)).argmax()))

    def in_plane(self, axis: int, index: int) -> Voxel:
        """The centre of the mask in a plane."""
        plane = np.zeros_like(self._inside)
        where = (slice(None),) * axis + (index,)
        plane[where] = self._inside[where]
        return nearest_to_centre(plane)

    def at_border(self) -> Voxel | None:
        """At the first face of the scan that the mask reaches."""
        touched = measure(self.mask).touches_border
        if not touched:
            return None
        axis, last = _axis_of(touched[0])
        return self.in_plane(axis, self._inside.shape[axis] - 1 if last else 0)

    def at_abrupt_end(self) -> Voxel:
        """At the plane from which most of the mask does not continue, towards the face where it ends."""
        axis, last = _axis_of(self.evidence.cut_face)
        planes = np.moveaxis(self._inside, axis, 0)[:: 1 if last else -1]
        ends = planes & ~np.concatenate([planes[1:], np.zeros_like(planes[:1])])
        index = int(ends.sum(axis=(1, 2)).argmax())
        _, row, column = nearest_to_centre(ends[index : index + 1])
        place = [row, column]
        place.insert(axis, index if last else len(planes) - 1 - index)
        return place[0], place[1], place[2]

    def at_gap(self) -> Voxel | None:
        """In the missing slice with most of the mask, or else the one that is nearest to it."""
        missing = self.scan.missing_slices
        if not missing:
            return None
        order, shape = self.mask.geometry.canonical, self.mask.geometry.shape
        axis = order.permutation.index(2)
        planes = [shape[2] - 1 - k if order.flips[axis] else k for k in missing]
        areas = np.moveaxis(self._inside, axis, 0).sum(axis=(1, 2))
        filled = np.flatnonzero(areas)
        index = min(planes, key=lambda plane: (-areas[plane], np.abs(filled - plane).min()))
        if areas[index]:
            return self.in_plane(axis, index)
        place = [*nearest_to_centre(self._inside)]
        place[axis] = index
        return place[0], place[1], place[2]

    def at_second_component(self) -> Voxel | None:
        """In the second largest component."""
        components, count = ndimage.label(self._inside, np.ones((3, 3, 3)))
        if count < 2:
            return None
        sizes = np.bincount(components.ravel())
        second = int(np.argsort(sizes[1:])[-2]) + 1
        return nearest_to_centre(components == second)

    def at_most_uncertain(self) -> Voxel | None:
        """In the slice with the most uncertainty, at its most uncertain part."""
        if self.entropy is None:
            return self.at_centre()
        entropy = self.mask.geometry.canonical.apply(self.entropy)
        index = int(entropy.sum(axis=(1, 2), dtype=np.float64).argmax())
        smooth = ndimage.gaussian_filter(entropy[index].astype(np.float32), 3)
        row, column = np.unravel_index(int(smooth.argmax()), smooth.shape)
        return index, int(row), int(column)

    def at_darkest(self) -> Voxel:
        """In the darkest part of the mask."""
        return self._at_extreme(-1)

    def at_brightest(self) -> Voxel:
        """In the brightest part of the mask."""
        return self._at_extreme(1)

    def _at_extreme(self, sign: int) -> Voxel:
        inside = self._inside
        box = ndimage.find_objects(inside.astype(np.uint8))[0]
        values = self.mask.geometry.canonical.apply(self.scan.values)[box].astype(np.float32)
        weights = inside[box].astype(np.float32)
        spacing = self.mask.geometry.in_canonical_order.spacing_mm
        sigmas = [_SMOOTH_MM / mm for mm in spacing]
        sums = ndimage.gaussian_filter(np.where(weights > 0, values, 0), sigmas)
        means = sums / np.maximum(ndimage.gaussian_filter(weights, sigmas), 1e-3)
        scores = np.where(weights > 0, sign * means, -np.inf)
        at = np.unravel_index(int(scores.argmax()), scores.shape)
        i, j, k = (int(each) + part.start for each, part in zip(at, box, strict=True))
        return i, j, k


def nearest_to_centre(inside: Bits) -> Voxel:
    """The voxel of a region that is nearest to its centre of mass, which may lie outside it."""
    voxels = np.argwhere(inside)
    nearest = ((voxels - voxels.mean(axis=0)) ** 2).sum(axis=1).argmin()
    i, j, k = voxels[nearest].tolist()
    return i, j, k


def _axis_of(face: Face) -> tuple[int, bool]:
    """The canonical axis of a face, and whether it is at its end."""
    return next((axis, face == pair[1]) for axis, pair in enumerate(FACES) if face in pair)


_FINDERS: dict[str, Callable[[FlagPlaces], Voxel | None]] = {
    "touches_border": FlagPlaces.at_border,
    "abrupt_end": FlagPlaces.at_abrupt_end,
    "missing_slices": FlagPlaces.at_gap,
    "multiple_components": FlagPlaces.at_second_component,
    "low_estimated_dice": FlagPlaces.at_most_uncertain,
    "darker_parts": FlagPlaces.at_darkest,
    "implausible_hu": FlagPlaces.at_darkest,
    "brighter_parts": FlagPlaces.at_brightest,
    **dict.fromkeys(
        (
            *("volume_impossible", "volume_unusual", "few_slices", "intensity_unusual"),
            *("liver_share_low", "liver_share_high", "border_without_edge", "shape_unusual"),
        ),
        FlagPlaces.at_centre,
    ),
}
