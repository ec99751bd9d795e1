"""Where positions in the patient lie on the images of a scan, and how a mask on these becomes one on its grid."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy

from rma_mamba.conventions import GRID_TOLERANCE_MM
from rma_mamba.errors import GridError
from rma_mamba.scans.resampling import resample_slices
from rma_mamba.source_images import SourceImages
from rma_mamba.volume import LPS_TO_RAS, Geometry, Volume, different_grids, grid_description

_FAR_MM = 1e6

Bits = npt.NDArray[np.bool_]
Points = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ImageStack:
    """The voxels on which a mask was drawn: those of a grid, or of images that do not form one.

    Args:
        geometry: Grid of the scan.
        images: Its images, if they are not the slices of that grid (missing slices, gantry tilt); else None.
    """

    geometry: Geometry
    images: SourceImages | None = None

    @classmethod
    def of_scan(cls, scan: Volume | Geometry) -> tuple[ImageStack, ...]:
        """The stacks on which a mask of a scan may have been drawn, the likeliest first."""
        if isinstance(scan, Geometry):
            return (cls(scan),)
        images = scan.source_images
        grid = cls(scan.geometry)
        if images is None or images.is_regular:
            return (grid,)
        return cls(scan.geometry, images), grid

    @property
    def shape(self) -> tuple[int, int, int]:
        """Columns, rows and number of images."""
        if self.images is None:
            return self.geometry.shape
        return (*self.images.size, len(self.images.slices))

    @cached_property
    def axes_mm(self) -> Points:
        """3x3: the steps along i, j and k in LPS mm."""
        axes: Points = (LPS_TO_RAS @ self.geometry.affine)[:3, :3]
        if self.images is None:
            return axes
        normal = np.cross(axes[:, 0], axes[:, 1])
        normal /= np.linalg.norm(normal)
        # a step so long that positions are always rounded to the image whose number is k
        return np.column_stack((axes[:, :2], normal * np.copysign(_FAR_MM, normal @ axes[:, 2])))

    def index_of(self, points_lps: Points) -> Points:
        """Index (i, j, k) of positions [point, (x, y, z)] in one plane; not rounded.

        On images that form no grid, k rounds to the number of the nearest image.
        """
        if self.images is None:
            start, offset = (LPS_TO_RAS @ self.geometry.affine)[:3, 3], 0
        else:
            starts = np.array([each.position_lps for each in self.images.slices])
            away = np.abs((points_lps.mean(axis=0) - starts) @ self.axes_mm[:, 2])
            offset = int(away.argmin())
            start = starts[offset]
        index: Points = np.linalg.solve(self.axes_mm, (points_lps - start).T).T.astype(np.float64)
        index[:, 2] += offset
        return index

    def require_close(self, index: Points, exact: Points, what: str) -> None:
        """Check that positions are those of voxels, within the tolerance of all grids.

        Raises:
            GridError: They are not.
        """
        away = np.abs((index - exact) @ self.axes_mm.T).max(initial=0)
        if away > GRID_TOLERANCE_MM:
            raise GridError(
                f"the {what} of the mask are not those of the scan (up to {away:.2g} mm away; "
                f"{grid_description(self.geometry.in_canonical_order)}); expected the same grid. "
                "Pass the series on which the mask was drawn."
            )

    def on_grid(self, bits: Bits) -> Bits:
        """A mask on the stack as one on the grid of the scan; between images, by its distance from their outlines.

        Source: shape-based interpolation, Raya and Udupa, IEEE Trans Med Imaging 1990;9:32.
        """
        if self.images is None:
            return bits
        planes = (_depth(bits[:, :, k]) for k in range(bits.shape[2]))
        outside = float(-sum(self.shape))
        found: Bits = resample_slices(planes, self.images, self.geometry.shape, outside) > 0
        return found


def _depth(plane: Bits) -> npt.NDArray[np.float32]:
    """Distance in pixels of each pixel inside from those outside; negative outside."""
    if plane.all() or not plane.any():
        return np.full(plane.shape, sum(plane.shape) * (1 if plane.any() else -1), np.float32)
    inside, outside = (scipy.ndimage.distance_transform_edt(each) for each in (plane, ~plane))
    depth: npt.NDArray[np.float32] = (inside - outside).astype(np.float32)
    return depth


def outside_scan(voxels: int) -> GridError:
    """The error for a mask that is partly outside its scan."""
    return GridError(
        f"{voxels} voxels of the mask lie outside the scan; expected a mask of this scan. "
        "Pass the whole series on which the mask was drawn."
    )


def onto_grid(values: npt.NDArray[Any], own: Geometry, grid: Geometry) -> npt.NDArray[Any]:
    """Label values on the voxels of another grid, which may have another axis order, and be larger or smaller.

    Args:
        values: Label values on their own grid.
        own: That grid.
        grid: The grid of the scan.

    Raises:
        GridError: Voxels are not at the same positions, or labels lie outside the scan.
    """
    stack = ImageStack(grid)
    steps = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], float)
    start, *ends = stack.index_of(_positions(own, steps))
    steps = np.rint(np.array(ends) - start).astype(int)
    last = np.array(own.shape) - 1
    corners = np.array(np.meshgrid(*((0, each) for each in last))).reshape(3, -1).T.astype(float)
    index = stack.index_of(_positions(own, corners))
    away = index - np.rint(start) - corners @ steps
    same_axes = sorted(np.abs(steps).ravel().tolist()) == [0] * 6 + [1] * 3
    if not same_axes or np.abs(away @ stack.axes_mm.T).max(initial=0) > GRID_TOLERANCE_MM:
        raise different_grids(own.in_canonical_order, grid.in_canonical_order)
    if own.shape == grid.shape and np.array_equal(steps, np.eye(3)) and not np.rint(start).any():
        return values
    return _embedded(values, np.rint(start).astype(int), steps, grid.shape)


def _positions(grid: Geometry, index: Points) -> Points:
    affine = LPS_TO_RAS @ grid.affine
    positions: Points = index @ affine[:3, :3].T + affine[:3, 3]
    return positions


def _embedded(
    values: npt.NDArray[Any],
    start: npt.NDArray[np.int_],
    steps: npt.NDArray[np.int_],
    shape: tuple[int, int, int],
) -> npt.NDArray[Any]:
    """Values with their axes permuted and flipped, in an array of another shape; labels must not be lost."""
    order = [
        int(np.abs(steps[:, axis]).argmax()) for axis in range(3)
    ]  # own axis along each of the grid's
    turned = values.transpose(order)
    low = start.copy()
    for axis, own in enumerate(order):
        if steps[own, axis] < 0:
            turned = np.flip(turned, axis)
            low[axis] += 1 - turned.shape[axis]
    high = low + turned.shape
    kept = tuple(
        slice(max(0, -a), max(0, size - a) if b > size else None)
        for a, b, size in zip(low, high, shape, strict=True)
    )
    found = np.zeros(shape, values.dtype)
    part = turned[kept]
    lost = int(np.count_nonzero(turned)) - int(np.count_nonzero(part))
    if lost:
        raise outside_scan(lost)
    if part.size:
        place = tuple(
            slice(max(0, a), max(0, a) + length) for a, length in zip(low, part.shape, strict=True)
        )
        found[place] = part
    return found
