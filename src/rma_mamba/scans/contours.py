"""Outlines of a mask in one image, as polygons that all RTSTRUCT readers understand, and back.

A pixel belongs to the mask if its centre does. An outline runs midway between pixel centres inside and outside
and cuts the corners of pixels, so for a region without holes it encloses half a pixel less than the area of its pixels.
Holes are connected to their outline by a channel of zero width (DICOM PS3.3 C.8.8.6.3, keyhole technique).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import label
from scipy.spatial import KDTree
from skimage import measure

# [point, (row, column)], not closed: the first point is not repeated at the end
Polygon = npt.NDArray[np.float64]


def outlines(plane: npt.NDArray[Any]) -> list[Polygon]:
    """One polygon per region of edge-connected pixels, including its holes.

    Args:
        plane: The mask [row, column].
    """
    inside = np.pad(plane != 0, 1)
    regions, count = label(inside)
    rings: list[list[Polygon]] = [[] for _ in range(count)]
    for ring in measure.find_contours(inside.astype(np.float32), 0.5):
        # The first point lies between a pixel inside and one outside; only the one inside has a label.
        (row, column), above = ring[0], np.ceil(ring[0]).astype(int)
        region = max(int(regions[int(row), int(column)]), int(regions[above[0], above[1]]))
        rings[region - 1].append(_drop_collinear_points(ring[:-1]) - 1)
    return [_join_holes(sorted(each, key=lambda ring: -abs(signed_area(ring)))) for each in rings]


def filled(ring: Polygon, shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """The pixels [row, column] whose centres are inside a polygon, by the even-odd rule.

    A channel of zero width (keyhole) makes no difference.

    Args:
        ring: The polygon [point, (row, column)]; parts of it may lie outside the image.
        shape: Rows and columns of the image.
    """
    following = np.roll(ring, -1, axis=0)
    upper = np.where((ring[:, :1] <= following[:, :1]), ring, following)
    lower = np.where((ring[:, :1] <= following[:, :1]), following, ring)
    first = np.clip(np.ceil(upper[:, 0]), 0, shape[0]).astype(int)
    past = np.clip(np.ceil(lower[:, 0]), 0, shape[0]).astype(
        int
    )  # an end on a row belongs to one edge only
    counts = past - first
    edge = np.repeat(np.arange(len(ring)), counts)
    rows = first[edge] + np.arange(len(edge)) - np.repeat(np.cumsum(counts) - counts, counts)
    slope = (lower[edge, 1] - upper[edge, 1]) / (lower[edge, 0] - upper[edge, 0])
    crossings = upper[edge, 1] + (rows - upper[edge, 0]) * slope
    columns = np.clip(np.ceil(crossings), 0, shape[1]).astype(int)
    toggles = np.zeros((shape[0], shape[1] + 1), np.int64)
    np.add.at(toggles, (rows, columns), 1)
    inside: npt.NDArray[np.bool_] = np.cumsum(toggles, axis=1)[:, :-1] % 2 == 1
    return inside


def signed_area(ring: Polygon) -> float:
    """Area of a polygon in pixels; the sign depends on the direction of its points (shoelace formula)."""
    following = np.roll(ring, -1, axis=0)
    return float((ring[:, 0] * following[:, 1] - ring[:, 1] * following[:, 0]).sum() / 2)


def _join_holes(rings: list[Polygon]) -> Polygon:
    """Join the outer ring (the largest, first in the list) and its holes into one polygon.

    The nearest hole is connected first, so that no channel crosses another hole.
    """
    outline, holes = rings[0], rings[1:]
    while holes:
        tree = KDTree(outline)
        nearest = [tree.query(hole) for hole in holes]
        number = min(range(len(holes)), key=lambda each: nearest[each][0].min())
        distances, points = nearest[number]
        at_hole = int(distances.argmin())
        at_outline = int(points[at_hole])
        hole = np.roll(holes.pop(number), -at_hole, axis=0)
        parts = [outline[: at_outline + 1], hole, hole[:1], outline[at_outline:]]
        outline = np.concatenate(parts)
    return outline


def _drop_collinear_points(ring: Polygon) -> Polygon:
    """Keep only the corners of a ring."""
    before, after = ring - np.roll(ring, 1, axis=0), np.roll(ring, -1, axis=0) - ring
    turns = before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]
    return ring[np.abs(turns) > 1e-9]
