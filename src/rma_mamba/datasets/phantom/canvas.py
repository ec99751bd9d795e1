"""The canvas that a phantom is painted on: a deformed coordinate system and the build of the patient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from rma_mamba.datasets.phantom.tissues import Tissue

Grid = npt.NDArray[np.float32]
Region = npt.NDArray[np.bool_]
Point = tuple[float, float, float]
Box = tuple[slice, slice, slice]  # a part of the grid


@dataclass(frozen=True)
class Build:
    """Build of a patient: lengths in mm, and factors of organ size."""

    wide: float  # half the width of the trunk
    deep: float  # half its depth
    fat: float  # thickness of the subcutaneous fat
    liver: float
    left_lobe: float
    spleen: float
    lift: float  # superior displacement of all organs relative to the grid
    ascites: float
    lesions: int

    @classmethod
    def sample(cls, random: np.random.Generator, randomise: bool) -> Build:
        """A random build; with `randomise` from a much wider range, with ascites and lesions."""
        if not randomise:
            scale = random.uniform(0.96, 1.06)
            wide, deep = 163 * scale, 112 * scale * random.uniform(0.96, 1.04)
            liver, lobe, spleen = random.uniform(0.96, 1.04, 3).tolist()
            fat, lift = random.uniform(12, 20), random.uniform(-6, 6)
            return cls(wide, deep, fat, liver, lobe, spleen, lift, 0, 0)
        scale = random.uniform(0.85, 1.15)
        wide, deep = 163 * scale, 112 * scale * random.uniform(0.9, 1.15)
        return cls(
            wide,
            deep,
            random.uniform(6, 32),
            random.uniform(0.8, 1.15),
            random.uniform(0.75, 1.25),
            random.uniform(0.8, 1.5),
            random.uniform(-35, 35),
            random.uniform(6, 25) if random.random() < 0.25 else 0,
            int(random.integers(1, 8)) if random.random() < 0.4 else 0,
        )


class Canvas:
    """Deformed coordinates in mm (x right, y anterior, z superior), and the tissues painted so far."""

    def __init__(
        self,
        shape: tuple[int, int, int],
        spacing_mm: tuple[float, float, float],
        build: Build,
        random: np.random.Generator,
        liver_shape: Callable[[Canvas, Region], Region] | None = None,
    ) -> None:
        axes = [
            ((np.arange(size) - (size - 1) / 2) * mm).astype(np.float32)
            for size, mm in zip(shape, spacing_mm, strict=True)
        ]
        # organs scale with the trunk; the grid, in mm, does not
        scale = np.float32(build.wide / 163)
        x, y, z = np.meshgrid(*axes, indexing="ij", sparse=True)
        self.x, self.y, self.z = (
            (axis + wobble) / scale
            for axis, wobble in zip(
                (x, y, z - np.float32(build.lift)),
                (_random_displacement(shape, spacing_mm, random) for _ in range(3)),
                strict=True,
            )
        )
        self.build = build
        self.deep = build.deep / float(scale)
        self.tissue = np.zeros(shape, np.uint8)
        self.spine_y = -0.46 * self.deep
        self.cavity: Region = np.zeros(shape, bool)
        self.dome: Grid = self.z
        self.liver_shape = liver_shape

    def around(self, centre: Point, reach: Point) -> Box:
        """The smallest part of the grid that contains all voxels whose coordinates differ from `centre` by up to
        `reach` each; it may be empty."""
        pairs = zip(self._limits, centre, reach, strict=True)
        near = (
            np.flatnonzero((low <= middle + most) & (high >= middle - most))
            for (low, high), middle, most in pairs
        )
        first, second, third = (
            slice(int(each[0]), int(each[-1]) + 1) if each.size else slice(0, 0) for each in near
        )
        return first, second, third

    @cached_property
    def _limits(self) -> list[tuple[Grid, Grid]]:
        """Smallest and largest x by column, y by row and z by slice."""
        pairs = ((self.x, (1, 2)), (self.y, (0, 2)), (self.z, (0, 1)))
        return [(grid.min(axis=others), grid.max(axis=others)) for grid, others in pairs]

    def ellipsoid(
        self,
        centre: Point,
        radii: Point,
        power: float = 2.0,
        tilt: float = 0,
        box: Box | None = None,
    ) -> Grid:
        """A field that is below 1 inside an ellipsoid, rotated by `tilt` degrees from x to y; in a part of the grid."""
        grids = (self.x, self.y, self.z)
        x, y, z = grids if box is None else (each[box] for each in grids)
        c, s = np.cos(np.radians(tilt)), np.sin(np.radians(tilt))
        x, y = x - centre[0], y - centre[1]
        parts = (
            (c * x + s * y) / radii[0],
            (c * y - s * x) / radii[1],
            (z - centre[2]) / radii[2],
        )
        x, y, z = (np.abs(part) ** power for part in parts)
        field: Grid = x + y + z
        return field

    def column(
        self, centre: tuple[float, float], radii: tuple[float, float], power: float = 2.0
    ) -> Grid:
        """A field that is below 1 inside a column along z."""
        x, y = (self.x - centre[0]) / radii[0], (self.y - centre[1]) / radii[1]
        field: Grid = np.abs(x) ** power + np.abs(y) ** power
        return field

    def paint(self, region: Region, tissue: Tissue) -> None:
        """Paint a region."""
        self.tissue[region] = tissue

    def paint_inside(self, region: Region, tissue: Tissue) -> None:
        """Paint the part of a region inside the abdominal cavity."""
        self.tissue[region & self.cavity] = tissue


def _random_displacement(
    shape: tuple[int, int, int], spacing_mm: tuple[float, float, float], random: np.random.Generator
) -> Grid:
    """Smooth random displacement of a few mm."""
    coarse = random.normal(
        size=[max(2, round(n * mm / 48)) for n, mm in zip(shape, spacing_mm, strict=True)]
    )
    zoom = [n / c for n, c in zip(shape, coarse.shape, strict=True)]
    smooth = ndimage.zoom(coarse.astype(np.float32), zoom, order=2, mode="nearest", grid_mode=True)
    wobble: Grid = np.float32(3.5) * smooth[: shape[0], : shape[1], : shape[2]]
    return wobble
