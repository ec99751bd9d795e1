"""Axial slices as small pictures of the body alone, for networks that look at a scan as a whole."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

from rma_mamba.slicing import SliceRecipe, SliceStack

SIDE = 48  # pixels of a thumbnail, whatever the body's size
COARSE = SliceRecipe(size=96, spacing_mm=4.0)  # slices from which they are cut

_BODY = 0.1  # of the grey scale: brighter than air
_LEAST = 20  # pixels of 4 mm: a smaller body is none
_SLICES = 16

Grey = npt.NDArray[np.float32]
Box = tuple[int, int, int, int]  # top, bottom, left, right


def thumbnails(stack: SliceStack, count: int = _SLICES) -> tuple[Tensor, npt.NDArray[np.intp]]:
    """Thumbnails [slice, SIDE, SIDE] evenly from foot to head, and the slices they show.

    Slices without a body are left out; so that there may be none.

    Args:
        stack: The scan's slices.
        count: Slices that are looked at, or all if there are fewer.
    """
    coarse = SliceStack(stack.volume, COARSE, stack.scale)
    chosen = np.unique(np.linspace(0, len(coarse) - 1, count).round().astype(int))
    pictures, shown = [], []
    for at in chosen.tolist():
        grey = coarse[at : at + 1][0, 0]
        box = body_box(grey)
        if box is not None:
            pictures.append(cut(grey, box))
            shown.append(at)
    empty = torch.zeros(0, SIDE, SIDE)
    return torch.stack(pictures) if pictures else empty, np.array(shown, np.intp)


def body_box(grey: Grey) -> Box | None:
    """Around the largest thing brighter than air in a slice of 4 mm pixels; None if it is no body."""
    parts, count = ndimage.label(ndimage.binary_opening(grey > _BODY))
    if not count:
        return None
    sizes = np.bincount(parts.ravel())[1:]
    rows, columns = ndimage.find_objects(parts)[int(sizes.argmax())]
    if min(rows.stop - rows.start, columns.stop - columns.start) < _LEAST:
        return None
    return rows.start, rows.stop, columns.start, columns.stop


def cut(grey: Grey, box: Box) -> Tensor:
    """What is inside a box, brought to SIDE x SIDE pixels, the slice's mean 0 and its deviation 1."""
    top, bottom, left, right = box
    inside = torch.from_numpy(np.ascontiguousarray(grey[top:bottom, left:right]))[None, None]
    small = functional.interpolate(inside, (SIDE, SIDE), mode="bilinear", antialias=True)[0, 0]
    return (small - small.mean()) / (small.std() + 1e-3)
