"""Does the header exchange left and right, or belly and back? The anatomy tells, the header cannot.

Two witnesses. The network learnt on patients whose liver is on the right and whose spine is at the back: it is
shown a few slices as they are and mirrored, and is sure of more liver where they are the right way round. And
the body's mean picture tells front from back (`body.py`); where it speaks clearly, it decides on that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from rma_mamba.reporting.quality import Mirror
from rma_mamba.slicing import SliceStack

Images = npt.NDArray[np.float32]

SLICES = 10  # evenly from foot to head
SURE_LOGIT = 2.2  # a probability of 0.9
MORE = 1.15  # times the sure liver of the scan as it is: docs/quality.md has what this finds and misses
CLEAR = 0.15  # of what `front_is_front` says
_LEAST_SLICES = 5  # fewer show too little of a body to judge
_LEAST_PIXELS = 100

MIRRORS: dict[Mirror, tuple[slice, slice]] = {
    "left and right": (slice(None), slice(None, None, -1)),
    "belly and back": (slice(None, None, -1), slice(None)),
    "left and right, and belly and back": (slice(None, None, -1), slice(None, None, -1)),
}


def find_mirror(
    stack: SliceStack, logits: Callable[[Images], npt.NDArray[Any]], front: float = 0.0
) -> Mirror | None:
    """What the header of a scan seems to exchange; None if nothing, or if too little is seen.

    A patient whose organs lie the other way round (situs inversus) looks as a mirrored header does.

    Args:
        stack: The scan's slices.
        logits: Images [slice, 3, height, width] to the finest map [slice, 1, height, width].
        front: What `front_is_front` says of the scan.
    """
    if len(stack) < _LEAST_SLICES:
        return None
    return decide(list(sure_pixels(stack, logits).values()), front)


def decide(pixels: Sequence[int], front: float) -> Mirror | None:
    """What both witnesses say together.

    Args:
        pixels: Of sure liver, in the order of `sure_pixels`.
        front: What `front_is_front` says.
    """
    as_it_is, *mirrored = pixels
    mirrors = list(MIRRORS)
    believed = dict(zip(mirrors, mirrored, strict=True))
    more = MORE
    if front > CLEAR:
        believed = {mirrors[0]: mirrored[0]}
    elif front < -CLEAR:
        believed, more = {mirror: believed[mirror] for mirror in mirrors[1:]}, 1.0
    best = max(believed, key=believed.__getitem__)
    return best if believed[best] > max(_LEAST_PIXELS, more * as_it_is) else None


def sure_pixels(stack: SliceStack, logits: Callable[[Images], npt.NDArray[Any]]) -> dict[str, int]:
    """Pixels of sure liver in a few slices as they are, and in each mirror image; arguments as above."""
    images = _some_slices(stack)
    found = {"as it is": _sure_pixels(logits(images))}
    for mirror, flip in MIRRORS.items():
        found[mirror] = _sure_pixels(logits(np.ascontiguousarray(images[..., *flip])))
    return found


def _some_slices(stack: SliceStack) -> Images:
    chosen = np.unique(np.linspace(0, len(stack) - 1, SLICES).round().astype(int)).tolist()
    return np.concatenate([stack[at : at + 1] for at in chosen])


def _sure_pixels(logits: npt.NDArray[Any]) -> int:
    return int(np.count_nonzero(logits > SURE_LOGIT))
