"""The surface of a mask as a closed mesh in RAS+ millimetres.

Marching cubes (Lewiner et al. 2003, as implemented in scikit-image) on a binary mask reproduces every voxel edge as a
staircase and overestimates the area by 9% for a sphere, and by 24% for thick slices. The mask is therefore smoothed
first, by the same distance in mm along all axes, and the level is chosen so that the mesh encloses its volume.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rma_mamba.volume import Affine, Mask

Points = npt.NDArray[np.float64]
Faces = npt.NDArray[np.int64]
Field = npt.NDArray[np.float32]

# Fraction of the largest voxel side: less leaves a staircase, more removes detail. Areas of balls are within 2%.
SMOOTHING = 0.8

# Truncation of the Gaussian, in standard deviations.
_TRUNCATE = 3.0

# After smoothing, a coarser grid is sufficient: three voxels per standard deviation.
_VOXELS_PER_SD = 3

# Search for the level: maximum number of steps, and tolerance as a share of the volume.
_STEPS = 3
_CLOSE = 1e-3

# Values this close count as equal: a level between them would create faces without area.
_TIE = 1e-4


@dataclass(frozen=True, eq=False)
class Surface:
    """A closed mesh; empty for an empty mask.

    Args:
        vertices_mm: float64 [vertex, 3], RAS+ mm.
        faces: int64 [face, 3], vertex indices, counter-clockwise as seen from outside.
    """

    vertices_mm: Points
    faces: Faces

    @property
    def area_mm2(self) -> float:
        """Sum of the areas of the faces."""
        return float(np.linalg.norm(self.normals, axis=1).sum() / 2)

    @property
    def volume_ml(self) -> float:
        """Enclosed volume, by the divergence theorem."""
        if not len(self.faces):
            return 0.0
        corners = self.vertices_mm[self.faces] - self.vertices_mm.mean(axis=0)
        # twice the area of the face times the distance of its plane: six times the volume of a tetrahedron
        return float(np.einsum("fc,fc->", corners[:, 0], self.normals) / 6000)

    @property
    def normals(self) -> Points:
        """Outward normals [face, 3]; their length is twice the area of the face in mm2."""
        a, b, c = (self.vertices_mm[self.faces[:, corner]] for corner in range(3))
        crossed: Points = np.cross(b - a, c - a)
        return crossed


def surface_of(mask: Mask, smoothing_mm: float | None = None) -> Surface:
    """The surface of labels > 0, closed even where the edge of the scan cuts through the mask.

    Args:
        mask: On any grid, including oblique and sheared ones.
        smoothing_mm: Standard deviation of the Gaussian; None: 0.8 of the largest voxel side.
    """
    smoothing = smoothing_mm or SMOOTHING * max(mask.geometry.spacing_mm)
    field, count, to_world = _crop_and_coarsen(mask, smoothing)
    if not count:
        return Surface(np.zeros((0, 3)), np.zeros((0, 3), np.int64))

    from scipy.ndimage import gaussian_filter

    sides_mm = np.linalg.norm(to_world[:3, :3], axis=0)
    smooth: Field = gaussian_filter(
        field, smoothing / sides_mm, mode="constant", truncate=_TRUNCATE
    )
    return _surface_with_volume(smooth, _level(smooth, count), to_world, mask.volume_ml)


def _surface_with_volume(field: Field, level: float, to_world: Affine, volume_ml: float) -> Surface:
    """The level surface that encloses a volume, found by the secant method from two initial guesses."""
    guesses = [level, 0.5 if abs(level - 0.5) > _TIE and field.max() > 0.5 + _TIE else 0.9 * level]
    found = [_surface_at_level(field, guess, to_world) for guess in guesses]
    for _ in range(_STEPS):
        error, before = (each.volume_ml / volume_ml - 1 for each in (found[-1], found[-2]))
        if abs(error) < _CLOSE or error == before:
            break
        step = error * (guesses[-1] - guesses[-2]) / (error - before)
        guess = float(np.clip(guesses[-1] - step, _TIE, 0.999 * field.max()))
        guesses.append(guess)
        found.append(_surface_at_level(field, guess, to_world))
    return min(found, key=lambda each: abs(each.volume_ml - volume_ml))


def _surface_at_level(field: Field, level: float, to_world: Affine) -> Surface:
    from skimage.measure import marching_cubes

    vertices, faces, _, _ = marching_cubes(field, level)
    points = vertices.astype(np.float64) @ to_world[:3, :3].T + to_world[:3, 3]
    surface = Surface(points, faces.astype(np.int64))
    # the orientation of the faces depends on the handedness of the grid
    return surface if surface.volume_ml >= 0 else Surface(points, surface.faces[:, ::-1])


def _crop_and_coarsen(mask: Mask, smoothing_mm: float) -> tuple[Field, int, Affine]:
    """Crop the mask to its bounding box plus a margin, on a coarser grid if voxels are small relative to the smoothing.

    Returns the cropped field, the number of its voxels inside the mask, rounded, and its affine.
    """
    geometry = mask.geometry
    spacing = np.array(geometry.spacing_mm)
    blocks = np.maximum(1, np.floor(smoothing_mm / _VOXELS_PER_SD / spacing)).astype(int)
    box = _box(mask.labels)
    if box is None:
        return np.zeros((1, 1, 1), np.float32), 0, geometry.affine
    inside = mask.labels[box] != 0
    room = np.ceil((_TRUNCATE * smoothing_mm / spacing + 1) / blocks).astype(int) * blocks
    rest = -np.array(inside.shape) % blocks
    padded = np.pad(inside, [(side, side + more) for side, more in zip(room, rest, strict=True)])
    field = padded.astype(np.float32)
    for axis, block in enumerate(blocks.tolist()):
        if block > 1:
            shape = [*field.shape[:axis], -1, block, *field.shape[axis + 1 :]]
            field = field.reshape(shape).mean(axis=axis + 1)
    to_voxel = np.diag([*blocks.astype(float), 1.0])
    to_voxel[:3, 3] = [part.start for part in box] - room + (blocks - 1) / 2
    return field, round(float(field.sum(dtype=np.float64))), geometry.affine @ to_voxel


def _box(labels: npt.NDArray[np.uint8]) -> tuple[slice, slice, slice] | None:
    """The bounding box of labels > 0; None for an empty mask."""
    found = []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        filled = np.flatnonzero(np.any(labels, axis=others))
        if not filled.size:
            return None
        found.append(slice(int(filled[0]), int(filled[-1]) + 1))
    return found[0], found[1], found[2]


def _level(field: Field, count: int) -> float:
    """A value exceeded by `count` voxels, or by a few more in case of ties."""
    values = field[field > _TIE]
    count = max(1, count)
    if count >= values.size:
        return _TIE / 2 if not values.size else float(values.min()) / 2
    last_inside = np.partition(values, values.size - count)[values.size - count]
    below = values[values < last_inside - _TIE]
    return float(last_inside + (below.max() if below.size else 0)) / 2
