"""The 48 ways in which a file can store the axes of one scan."""

import itertools

import numpy as np
import numpy.typing as npt

from rma_mamba.volume import Geometry, Volume

Order = tuple[tuple[int, ...], tuple[int, ...]]

ORDERS: list[Order] = list(
    itertools.product(itertools.permutations(range(3)), itertools.product((1, -1), repeat=3))
)


def reordered(volume: Volume, order: Order) -> Volume:
    """The same scan in world space, its axes permuted and then flipped."""
    axes, signs = order
    values = volume.values.transpose(axes)[tuple(slice(None, None, sign) for sign in signs)]
    affine = volume.geometry.affine.copy()
    affine[:3, :3] = affine[:3, axes]
    for axis, sign in enumerate(signs):
        if sign < 0:
            affine[:3, 3] += affine[:3, axis] * (values.shape[axis] - 1)
            affine[:3, axis] *= -1
    return Volume(np.ascontiguousarray(values), Geometry(values.shape, affine), volume.modality)


def back(array: npt.NDArray[np.generic], order: Order) -> npt.NDArray[np.generic]:
    """An array on the reordered grid, in the order of the first one."""
    axes, signs = order
    flipped = array[tuple(slice(None, None, sign) for sign in signs)]
    return flipped.transpose(np.argsort(axes))
