"""A sketch of a case: at most 16 coarse slices with their label, small enough to keep for every case of a dataset.

Pixels are 2 to 3.5 mm wide. Intensities are ranks in 256 levels, so that sketches of any sequence can be compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from rma_mamba.datasets.layouts.case_reader import LabelledImage
from rma_mamba.volume import Geometry, Volume

Bits = npt.NDArray[np.uint8]
Voxels = npt.NDArray[np.intp]  # [3, voxel]

_SLICES = 16
_LARGEST_PIXEL_MM = 3.4
_SIDE, _FIELD_MM, _GAP_MM = 128, 384.0, 8.0  # assumed for slices, which do not state their size
_IN_PLANE = np.zeros((3, 3, 3), bool)
_IN_PLANE[:, 1, 1] = _IN_PLANE[1, :, 1] = True
_WIDTH = 2  # pixels of the rim of the liver, and of the shell around it
_MOST_VOXELS = 12_000


@dataclass(frozen=True, eq=False)
class Sketch:
    """Coarse slices of a case.

    Args:
        levels: Ranks of the intensities [i, j, k] in LPS order, uint8.
        label: 1 where the liver is, same shape.
        shape: Size of the original slices: columns, rows and slices.
    """

    levels: Bits
    label: Bits
    shape: tuple[int, int, int]

    @cached_property
    def border(self) -> tuple[Voxels, Voxels]:
        """Voxels just inside and just outside of the label."""
        liver = self.label > 0
        inside = liver & ~ndimage.binary_erosion(liver, _IN_PLANE, iterations=_WIDTH)
        outside = ndimage.binary_dilation(liver, _IN_PLANE, iterations=_WIDTH) & ~liver
        return _some(inside), _some(outside)


def coarse_volume(pairs: Sequence[LabelledImage], livers: Sequence[Bits]) -> tuple[Volume, Bits]:
    """At most 16 slices, evenly spaced, averaged to coarse pixels; and 1 where the liver is.

    Slices of another size than the first are left out.

    Args:
        pairs: The volume of a case, or its slices.
        livers: 1 where the liver is, one per image.
    """
    first = pairs[0].image
    if len(pairs) == 1 and first.geometry.shape[2] > 1:
        chosen = _spread(first.geometry.shape[2])
        values, liver = first.values[:, :, chosen], livers[0][:, :, chosen]
        spacing = first.geometry.spacing_mm
        step = float(chosen[1] - chosen[0]) if len(chosen) > 1 else 1.0
        blocks = [max(1, int(_LARGEST_PIXEL_MM / size)) for size in spacing[:2]]
        spacing = (spacing[0] * blocks[0], spacing[1] * blocks[1], spacing[2] * step)
    else:
        same = [n for n, each in enumerate(pairs) if each.image.values.shape == first.values.shape]
        some = [same[n] for n in _spread(len(same))]
        values = np.concatenate([pairs[n].image.values for n in some], axis=2)
        liver = np.concatenate([livers[n] for n in some], axis=2)
        longer = max(values.shape[:2])
        blocks = [max(1, -(-longer // _SIDE))] * 2
        size = _FIELD_MM * blocks[0] / longer
        spacing = (size, size, _GAP_MM)
    averaged, share = (_block_means(each, blocks) for each in (values, liver))
    affine = np.diag([-spacing[0], -spacing[1], spacing[2], 1.0])
    volume = Volume(averaged, Geometry(averaged.shape, affine), first.modality)
    return volume, (share > 0.5).astype(np.uint8)


def sketch_of(volume: Volume, liver: Bits, shape: tuple[int, int, int]) -> Sketch:
    """The sketch of a coarse volume.

    Args:
        volume: As returned by `coarse_volume`.
        liver: The same.
        shape: Size of the original slices.
    """
    limits = np.quantile(volume.values, np.linspace(0, 1, 257)[1:-1])
    return Sketch(np.searchsorted(limits, volume.values).astype(np.uint8), liver, shape)


def _spread(count: int) -> npt.NDArray[np.intp]:
    step = max(1, -(-count // _SLICES))
    return np.arange((count - 1) % step // 2, count, step)


def _block_means(values: npt.NDArray[np.generic], blocks: Sequence[int]) -> npt.NDArray[np.float32]:
    rows, columns = (size // block for size, block in zip(values.shape, blocks, strict=False))
    whole = values[: rows * blocks[0], : columns * blocks[1]].astype(np.float32)
    split = whole.reshape(rows, blocks[0], columns, blocks[1], values.shape[2])
    means: npt.NDArray[np.float32] = split.mean(axis=(1, 3))
    return means


def _some(mask: npt.NDArray[np.bool_]) -> Voxels:
    voxels = np.array(np.nonzero(mask))
    return voxels[:, :: max(1, -(-voxels.shape[1] // _MOST_VOXELS))]
