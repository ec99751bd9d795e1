"""Search for evidence in a scan against a mask: abrupt ends, borders without an edge, foreign tissue, unusual shape.

Needs no network: any mask can be examined.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import scipy

from rma_mamba.reporting.mask_border import cut_areas_mm2
from rma_mamba.reporting.mask_evidence import NO_EVIDENCE, MaskEvidence, calibration
from rma_mamba.reporting.measure import FACES, Face
from rma_mamba.volume import Mask, Volume

SHAPE_FEATURES: Final = ("height", "depth", "width", "compactness", "filling", "peak")

Coarse = npt.NDArray[np.float32]  # [slice, row, column] in canonical order
CoarseMask = npt.NDArray[np.bool_]

_COARSE_MM = 4.0
_SMALLEST = 50  # coarse voxels; smaller masks are not examined
_MARGIN_MM = 12.0
_DENOISING_MM, _TISSUE_MM = 2.0, 4.0  # standard deviations of Gaussians
_CORE_MM = 6.0  # from the border
_SCAN_END = (
    0.01  # of the largest cross-section, in the outermost slice: the liver is cut off by the scan
)


def examine_mask(volume: Volume, mask: Mask, scale: tuple[float, float]) -> MaskEvidence:
    """Compare a mask with its scan, on voxels of about 4 mm.

    Args:
        volume: The scan, calibrated.
        mask: The mask, on the grid of the scan; the order of the axes may differ.
        scale: Intensities that become 0 and 1 in the network's input.

    Returns:
        The evidence; none for masks of less than about 3 mL.
    """
    image, inside, spacing_mm = coarse_grid(volume, mask, scale)
    if inside.sum() < _SMALLEST:
        return NO_EVIDENCE
    tissue = _smooth_within(image, inside, spacing_mm)
    median, spread = _liver_intensity(tissue, inside, spacing_mm)
    difference = (tissue - median)[inside]
    foreign = max(0.08, 3 * spread)
    denoised = scipy.ndimage.gaussian_filter(image, [_DENOISING_MM / mm for mm in spacing_mm])
    alike = np.abs(denoised - median) < max(0.04, 2 * spread)
    cuts, edgeless = _open_border(inside, alike, spacing_mm)
    face = max(cuts, key=lambda each: cuts[each][0])
    cut_slices, cut_mm2 = max(cuts[each] for each in FACES[0])
    volume_mm3 = float(inside.sum() * np.prod(spacing_mm))
    return MaskEvidence(
        cut_slices=cut_slices,
        cut_in_plane=max(cuts[each][0] for axis in FACES[1:] for each in axis),
        missing=cut_mm2**1.5 / volume_mm3,
        edgeless=edgeless,
        dark=float((difference < -foreign).mean()),
        bright=float((difference > foreign).mean()),
        shape_distance=_shape_distance(mask, inside, spacing_mm),
        cut_face=face,
    )


def shape_features(inside: CoarseMask, spacing_mm: tuple[float, ...]) -> list[float]:
    """Shape of a mask independent of its size, in the order of `SHAPE_FEATURES`.

    Extent along the three axes and surface (of the voxels) in relation to the volume, mean area of the slices in
    relation to the largest, and position of the largest slice (0: lowest, 1: highest).
    """
    volume_mm3 = float(inside.sum() * np.prod(spacing_mm))
    side_mm = volume_mm3 ** (1 / 3)
    features = []
    for axis, mm in enumerate(spacing_mm):
        filled = np.flatnonzero(inside.any(axis=tuple(each for each in range(3) if each != axis)))
        features.append(float(filled[-1] - filled[0] + 1) * mm / side_mm)
    areas = inside.sum(axis=(1, 2))
    areas = np.trim_zeros(areas)
    surface_mm2 = 0.0
    for axis in range(3):
        faces = np.count_nonzero(np.diff(inside, axis=axis, prepend=False, append=False))
        surface_mm2 += faces * float(np.prod(np.delete(spacing_mm, axis)))
    features.append(surface_mm2 / side_mm**2)
    features.append(float(areas.mean() / areas.max()))
    features.append(float(areas.argmax()) / max(1, len(areas) - 1))
    return features


def distance_from_livers(features: Sequence[float]) -> float:
    """Mahalanobis distance of `shape_features` from those of healthy and diseased livers."""
    shapes = calibration()["shapes"]
    offset = np.array(features) - shapes["mean"]
    return float(np.sqrt(offset @ np.linalg.solve(np.array(shapes["covariance"]), offset)))


def coarse_grid(
    volume: Volume, mask: Mask, scale: tuple[float, float]
) -> tuple[Coarse, CoarseMask, tuple[float, ...]]:
    """Image in [0, 1.5] and mask around the mask: means of blocks in plane, and every n-th slice."""
    order = mask.geometry.canonical
    labels = order.apply(mask.labels)
    values = volume.geometry.canonical.apply(volume.values)
    spacing_mm = [mask.geometry.spacing_mm[axis] for axis in order.permutation]
    steps = [max(1, round(_COARSE_MM / mm)) for mm in spacing_mm]
    labels, values = labels[:: steps[0]], values[:: steps[0]]
    spacing_mm[0] *= steps[0]
    if not labels.any():
        return np.zeros((0, 0, 0), np.float32), np.zeros((0, 0, 0), bool), tuple(spacing_mm)
    box = []
    for axis, (mm, step) in enumerate(zip(spacing_mm, (1, *steps[1:]), strict=True)):
        filled = np.flatnonzero(labels.any(axis=tuple(each for each in range(3) if each != axis)))
        margin = math.ceil(_MARGIN_MM / mm)
        first = max(0, int(filled[0]) - margin)
        last = min(labels.shape[axis], int(filled[-1]) + 1 + margin)
        box.append(slice(first, last - (last - first) % step))
    labels, values = labels[tuple(box)], values[tuple(box)]
    low, high = scale
    image = _block_means(values, steps[1:])
    image = np.nan_to_num((image - low) / max(high - low, 1e-12), posinf=1.5, neginf=0.0)
    inside = _block_means(labels > 0, steps[1:]) > 0.5
    grid_mm = (spacing_mm[0], spacing_mm[1] * steps[1], spacing_mm[2] * steps[2])
    return image.clip(0, 1.5).astype(np.float32), inside, grid_mm


def _block_means(values: npt.NDArray[Any], steps: list[int]) -> Coarse:
    rows, columns = (size // step for size, step in zip(values.shape[1:], steps, strict=True))
    means = np.empty((len(values), rows, columns), np.float32)
    for number, plane in enumerate(values):  # one slice as float at a time
        blocks = plane.astype(np.float32).reshape(rows, steps[0], columns, steps[1])
        means[number] = blocks.mean(axis=(1, 3))
    return means


def _smooth_within(image: Coarse, inside: CoarseMask, spacing_mm: tuple[float, ...]) -> Coarse:
    """A Gaussian that ignores what lies outside the mask."""
    sigmas = [_TISSUE_MM / mm for mm in spacing_mm]
    weights = scipy.ndimage.gaussian_filter(inside.astype(np.float32), sigmas)
    sums = scipy.ndimage.gaussian_filter(np.where(inside, image, np.float32(0)), sigmas)
    means: Coarse = sums / np.maximum(weights, np.float32(1e-6))
    return means


def _liver_intensity(
    tissue: Coarse, inside: CoarseMask, spacing_mm: tuple[float, ...]
) -> tuple[float, float]:
    """Median and robust standard deviation away from the border."""
    depth_mm = scipy.ndimage.distance_transform_edt(np.pad(inside, 1), sampling=spacing_mm)
    core = inside & (depth_mm[1:-1, 1:-1, 1:-1] > _CORE_MM)
    values = tissue[core] if core.sum() > _SMALLEST else tissue[inside]
    median = float(np.median(values))
    return median, 1.4826 * float(np.median(np.abs(values - median)))


def _open_border(
    inside: CoarseMask, alike: CoarseMask, spacing_mm: tuple[float, ...]
) -> tuple[dict[Face, tuple[float, float]], float]:
    """For each face, the largest open area of a plane (share of the largest plane, mm2); the open share in total."""
    cuts: dict[Face, tuple[float, float]] = {}
    border_mm2 = open_mm2 = 0.0
    for axis, names in enumerate(FACES):
        area_mm2 = float(np.prod(np.delete(spacing_mm, axis)))
        largest = int(np.moveaxis(inside, axis, 0).sum(axis=(1, 2)).max())
        for name, step in zip(names, (-1, 1), strict=True):
            mask = np.moveaxis(inside, axis, 0)[::step]
            border = mask[:-1] & ~mask[1:]
            is_open = border & np.moveaxis(alike, axis, 0)[::step][1:]
            widest = int(is_open.sum(axis=(1, 2)).max(initial=0))
            cuts[name] = (widest / largest, widest * area_mm2)
            border_mm2 += np.count_nonzero(border) * area_mm2
            open_mm2 += np.count_nonzero(is_open) * area_mm2
    return cuts, float(open_mm2 / border_mm2) if border_mm2 else 0.0


def _shape_distance(mask: Mask, inside: CoarseMask, spacing_mm: tuple[float, ...]) -> float:
    cut = cut_areas_mm2(mask)
    largest_mm2 = float(inside.sum(axis=(1, 2)).max() * spacing_mm[1] * spacing_mm[2])
    if max(cut["inferior"], cut["superior"]) > _SCAN_END * largest_mm2:
        return 0.0
    return distance_from_livers(shape_features(inside, spacing_mm))
