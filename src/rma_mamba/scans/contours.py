"""The outlines of a mask in one image, as polygons that every reader of RTSTRUCT understands.

A pixel is in the mask where its centre is; an outline runs midway between centres inside and outside, and
cuts each corner of a pixel: it encloses half a pixel less than the pixels of a region without holes.
A hole is joined with its outline by a channel of no width (DICOM PS3.3 C.8.8.6.3, the keyhole technique).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import label
from scipy.spatial import KDTree
from skimage import measure

Polygon = npt.NDArray[
    np.float64
]  # [point, (row, column)], not closed: the first point is not repeated


def outlines(plane: npt.NDArray[Any]) -> list[Polygon]:
    """One polygon for each region of pixels that share edges, its holes included.

    Args:
        plane: The mask [row, column].
    """
    inside = np.pad(plane != 0, 1)
    regions, count = label(inside)
    rings: list[list[Polygon]] = [[] for _ in range(count)]
    for ring in measure.find_contours(inside.astype(np.float32), 0.5):
        # between a pixel inside and one outside: of the two, the one with a number
        (row, column), up = ring[0], np.ceil(ring[0]).astype(int)
        region = max(int(regions[int(row), int(column)]), int(regions[up[0], up[1]]))
        rings[region - 1].append(_without_straight_points(ring[:-1]) - 1)
    return [_joined(sorted(each, key=lambda ring: -abs(area(ring)))) for each in rings]


def area(ring: Polygon) -> float:
    """Area of a polygon in pixels, negative if its points run the other way (the shoelace formula)."""
    following = np.roll(ring, -1, axis=0)
    return float((ring[:, 0] * following[:, 1] - ring[:, 1] * following[:, 0]).sum() / 2)


def _joined(rings: list[Polygon]) -> Polygon:
    """The outer ring, which is the largest, and its holes as one polygon; the nearest hole comes first, so that
    no channel crosses another hole.
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
        around = [outline[: at_outline + 1], hole, hole[:1], outline[at_outline:]]
        outline = np.concatenate(around)
    return outline


def _without_straight_points(ring: Polygon) -> Polygon:
    """The corners of a ring alone."""
    before, after = ring - np.roll(ring, 1, axis=0), np.roll(ring, -1, axis=0) - ring
    turns = before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]
    return ring[np.abs(turns) > 1e-9]
