"""Shapes of real livers for phantoms, from masks without an image."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from rma_mamba.datasets.phantom.canvas import Canvas, Region
from rma_mamba.errors import ScanError
from rma_mamba.folder_tree import as_text
from rma_mamba.scans import read_scan

_AROUND = 0.5  # of a voxel inside: where the border is


@dataclass(frozen=True, eq=False)
class LiverShape:
    """A liver without an image.

    Args:
        mask: float32 [x, y, z] in RAS order, 1 inside.
        spacing_mm: Voxel size.
    """

    mask: npt.NDArray[np.float32] = field(repr=False)
    spacing_mm: tuple[float, float, float]

    @classmethod
    def read(cls, path: Path) -> LiverShape:
        """The shape of all labels above 0 of a file.

        Raises:
            ScanError: The file cannot be read, or has no label above 0.
        """
        volume = read_scan(path)
        geometry = volume.geometry
        # canonical order is S, P, L
        mask = (geometry.canonical.apply(volume.values) > 0).transpose(2, 1, 0)[::-1, ::-1]
        if not mask.any():
            raise ScanError(
                f"{as_text(path.name)} has no label above 0; expected the mask of a liver. Remove the file."
            )
        box = ndimage.find_objects(mask.astype(np.uint8))[0]
        superior, posterior, left = (
            geometry.spacing_mm[axis] for axis in geometry.canonical.permutation
        )
        return cls(mask[box].astype(np.float32), (left, posterior, superior))

    @property
    def volume_mm3(self) -> float:
        """Volume of the liver."""
        return float(self.mask.sum() * np.prod(self.spacing_mm))

    def placed(self, canvas: Canvas, where: Region) -> Region:
        """The shape on a canvas, with the centre (right to left, anterior to posterior) and the top of `where`.

        It is made smaller if it is larger than `where`.
        """
        index = np.argwhere(where)
        centre = [
            float(axis[tuple(index.mean(axis=0).round().astype(int))]) for axis in _axes(canvas)
        ]
        top = float(canvas.z[where].max())
        scale = min(1.0, (_volume_mm3(where, canvas) / self.volume_mm3) ** (1 / 3))
        spacing_mm = [mm * scale for mm in self.spacing_mm]
        height = self.mask.shape[2] * spacing_mm[2]
        middles = (centre[0], centre[1], top - height / 2)
        coordinates = np.stack(
            [
                (axis - middle) / mm + (size - 1) / 2
                for axis, middle, mm, size in zip(
                    _axes(canvas), middles, spacing_mm, self.mask.shape, strict=True
                )
            ]
        )
        region: Region = ndimage.map_coordinates(self.mask, coordinates, order=1) > _AROUND
        return region


def _volume_mm3(region: Region, canvas: Canvas) -> float:
    """Volume in the coordinates of the canvas."""
    steps = [np.diff(axis, axis=number).mean() for number, axis in enumerate(_axes(canvas))]
    return float(region.sum() * np.prod(steps))


def _axes(canvas: Canvas) -> tuple[npt.NDArray[np.float32], ...]:
    return canvas.x, canvas.y, canvas.z


def shape_files(folder: Path) -> list[Path]:
    """The masks of a folder, by name."""
    return sorted(path for path in folder.rglob("*.nii*") if path.is_file())
