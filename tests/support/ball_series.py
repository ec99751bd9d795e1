"""Slices through a soft ball in fat, wherever they lie: their values follow from world positions alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydicom import Dataset

from dicom_series import AXIAL, ct_slice

CENTRE_MM, RADIUS_MM = np.array([-100.0, -60.0, 70.0]), 18.0  # LPS
LIVER_HU, FAT_HU = 120, -100
EDGE_MM = 6.0  # soft, so that it can be resampled
SIZE = (40, 44)  # rows, columns


def ball(position: Any, directions: Any, spacing: tuple[float, float], number: int) -> Dataset:
    """A slice through the ball."""
    along_row, along_column = np.array(directions, float).reshape(2, 3)
    rows, columns = np.indices(SIZE)
    points = (
        np.array(position)
        + rows[..., None] * spacing[0] * along_column
        + columns[..., None] * spacing[1] * along_row
    )
    return ct_slice(hu_at(points) + 1024, position, directions, spacing, number)


def hu_at(points_lps: Any) -> Any:
    """HU [...] at positions [..., (x, y, z)]: midway between fat and liver at the radius of the ball."""
    distance = np.linalg.norm(points_lps - CENTRE_MM, axis=-1)
    share = np.clip((RADIUS_MM - distance) / EDGE_MM + 0.5, 0, 1)
    return np.round(FAT_HU + (LIVER_HU - FAT_HU) * share).astype(int)


def scan(
    directions: Any = AXIAL,
    *,
    step_mm: float = 2.5,
    slices: int = 20,
    slide_mm: float = 0.0,
    jitter_mm: Any = (),
) -> list[Dataset]:
    """Slices through the ball; `slide_mm` is the in-plane shift from each slice to the next."""
    spacing = (1.5, 1.25)
    along_row, along_column = np.array(directions, float).reshape(2, 3)
    normal = np.cross(along_row, along_column)
    middle = (SIZE[1] - 1) / 2 * spacing[1] * along_row + (SIZE[0] - 1) / 2 * spacing[
        0
    ] * along_column
    found = []
    for k in range(slices):
        up = (k - (slices - 1) / 2) * step_mm + (jitter_mm[k] if len(jitter_mm) else 0)
        aside = (k - (slices - 1) / 2) * slide_mm
        place = CENTRE_MM - middle + up * normal + aside * along_column
        found.append(ball(place, directions, spacing, k))
    return found
