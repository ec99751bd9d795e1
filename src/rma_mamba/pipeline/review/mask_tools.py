"""Tools that change a mask as a whole: fill between contours, remove an island, fill holes, grow from a point.

All of them work on the voxels of the scan (i, j, k) and return a new array.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from rma_mamba.errors import ConfigError
from rma_mamba.volume import Volume

Labels = npt.NDArray[np.uint8]
Bits = npt.NDArray[np.bool_]
Voxel = tuple[int, int, int]

_CONNECTIVITY = np.ones((3, 3, 3), bool)  # faces, edges and corners
_GROW_MM = 40.0  # from the point
_SEED_MM = 3.0  # around the point, for the intensity of the tissue
_DENOISING_MM = 1.5
_SPREAD, _RIM = 2.5, 4.0  # standard deviations of the tissue: smoothed, and as stored


def interpolate(
    labels: Labels, spacing_mm: Sequence[float], axis: int, slices: Sequence[int] = ()
) -> Labels:
    """Fill between the contours of distant slices, by interpolation of their signed distances.

    Args:
        labels: The mask (i, j, k).
        spacing_mm: Voxel size.
        axis: The axis along which slices are distant.
        slices: The slices with contours to rely on: everything between two of them is replaced. None: all slices with
            a contour, between which empty slices are filled.

    Raises:
        ConfigError: An axis or slice does not exist, or fewer than two slices have a contour.

    Source: Raya and Udupa, IEEE Trans Med Imaging 1990;9:32 (shape-based interpolation).
    """
    if not 0 <= axis < 3 or any(not 0 <= each < labels.shape[axis] for each in slices):
        raise ConfigError(
            "the axis or a slice is outside the scan; expected axis 0 to 2 and slices of it. Choose others."
        )
    filled = np.moveaxis(labels != 0, axis, 0).copy()
    keys = [int(each) for each in np.flatnonzero(filled.any(axis=(1, 2)))]
    if slices:
        keys = [each for each in sorted(set(slices)) if each in keys]
    if len(keys) < 2:
        raise ConfigError(
            f"{len(keys)} slice has a contour; expected two or more. Draw the liver in two distant slices first."
        )
    in_plane = [mm for number, mm in enumerate(spacing_mm) if number != axis]
    for first, last in itertools.pairwise(keys):
        if last - first > 1:
            before, after = (_signed_distance(filled[each], in_plane) for each in (first, last))
            for index in range(first + 1, last):
                weight = (index - first) / (last - first)
                filled[index] = (1 - weight) * before + weight * after > 0
    return _as_labels(np.moveaxis(filled, 0, axis))


def remove_island(labels: Labels, voxel: Voxel, *, keep: bool = False) -> Labels:
    """Remove the connected component at a voxel; or keep it, and remove all others.

    Raises:
        ConfigError: The voxel is outside the scan, or not in the mask.
    """
    _check_voxel(labels, voxel)
    if not labels[voxel]:
        raise ConfigError(
            "the voxel is not in the mask; expected one of the island. Click on the island itself."
        )
    components, _ = ndimage.label(labels != 0, _CONNECTIVITY)
    island = components == components[voxel]
    return _as_labels((labels != 0) & (island if keep else ~island))


def fill_holes(labels: Labels, axis: int | None = None) -> Labels:
    """Fill cavities that the mask encloses.

    Args:
        labels: The mask (i, j, k).
        axis: Fill what the mask encloses within each slice along this axis; None: what it encloses on all sides.
    """
    inside = labels != 0
    structure = None
    if axis is not None:
        structure = ndimage.generate_binary_structure(3, 1)
        structure[tuple(slice(None) if each != axis else [0, 2] for each in range(3))] = False
    box = (ndimage.find_objects(inside.astype(np.uint8)) or [None])[0]
    if box is None:
        return labels.copy()
    result = inside.copy()
    result[box] = ndimage.binary_fill_holes(inside[box], structure)
    return _as_labels(result)


def grow(labels: Labels, scan: Volume, voxel: Voxel, *, inside: bool = True) -> Labels:
    """Add the tissue around a point to the mask, or remove it: what is connected to the point and as bright as it.

    Args:
        labels: The mask (i, j, k).
        scan: The scan on the same grid.
        voxel: The point.
        inside: Whether the tissue belongs to the liver.

    Raises:
        ConfigError: The voxel is outside the scan.
    """
    _check_voxel(labels, voxel)
    spacing_mm = scan.geometry.spacing_mm
    box = _box(voxel, labels.shape, [_GROW_MM / mm for mm in spacing_mm])
    at = tuple(each - part.start for each, part in zip(voxel, box, strict=True))
    image = np.nan_to_num(scan.values[box].astype(np.float32))
    smooth = ndimage.gaussian_filter(image, [_DENOISING_MM / mm for mm in spacing_mm])
    distance_mm = np.sqrt(
        sum(
            ((grid - origin) * mm) ** 2
            for grid, origin, mm in zip(
                np.ogrid[tuple(slice(n) for n in image.shape)], at, spacing_mm, strict=True
            )
        )
    )
    seed = distance_mm <= max(_SEED_MM, *spacing_mm)
    values = smooth[seed]
    spread = max(float(values.std()), float(np.ptp(image)) * 0.02)
    median = float(np.median(values))
    near = distance_mm <= _GROW_MM
    tissue = (np.abs(smooth - median) <= _SPREAD * spread) & near
    changed = labels[box] != 0
    candidates = tissue & (~changed if inside else changed)
    region = _connected(ndimage.binary_opening(candidates | seed), at, seed)
    # smoothing has blurred the border, where the stored values decide
    region |= ndimage.binary_dilation(region) & near & (np.abs(image - median) <= _RIM * spread)
    result = labels != 0
    result[box] = (changed | region) if inside else (changed & ~region)
    return _as_labels(result)


def _as_labels(inside: npt.NDArray[Any]) -> Labels:
    labels: Labels = inside.astype(np.uint8)
    return labels


def _connected(region: Bits, at: tuple[Any, ...], seed: Bits) -> Bits:
    components, _ = ndimage.label(region | seed)
    connected: Bits = components == components[at]
    return connected


def _box(
    voxel: Voxel, shape: tuple[int, ...], reach: Sequence[float]
) -> tuple[slice, slice, slice]:
    i, j, k = (
        slice(max(0, at - round(far)), min(size, at + round(far) + 1))
        for at, size, far in zip(voxel, shape, reach, strict=True)
    )
    return i, j, k


def _signed_distance(plane: Bits, spacing_mm: Sequence[float]) -> npt.NDArray[np.float64]:
    """Distance to the contour in mm, positive inside."""
    inside = ndimage.distance_transform_edt(np.pad(plane, 1), sampling=spacing_mm)[1:-1, 1:-1]
    outside = ndimage.distance_transform_edt(~plane, sampling=spacing_mm)
    signed: npt.NDArray[np.float64] = inside - outside
    return signed


def _check_voxel(labels: Labels, voxel: Voxel) -> None:
    if any(not 0 <= at < size for at, size in zip(voxel, labels.shape, strict=True)):
        raise ConfigError(
            "the voxel is outside the scan; expected one of its voxels. Click into the scan."
        )
