"""Test-time augmentation (TTA): each slice is segmented at several in-plane scales, and probabilities are averaged.

Only slices in which the first scale finds a trace of liver are segmented at the others. On seven scans this changed no
voxel, and it saves up to two thirds of the time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Images = npt.NDArray[np.float32]  # [slice, channel, height, width]
Logits = npt.NDArray[np.float32]  # [slice, class, height, width]
Network = Callable[[Images, int], list[Logits]]  # the last n maps, highest resolution last

MAPS = 3  # outputs of the first scale, whose agreement is a measure of certainty

POSSIBLE_LOGIT = (
    -3.0
)  # a probability of 0.05: slices below it are not segmented at the other scales


class TtaLogits(NamedTuple):
    """Logits of the same slices at all TTA scales.

    Args:
        maps: At the first scale, all slices: the network's last maps, highest resolution last.
        others: At each other scale, slices `repeated` only: the map of the highest resolution; empty if there are none.
        repeated: Indices of the slices that were segmented at the other scales as well.
    """

    maps: list[Logits]
    others: list[Logits]
    repeated: npt.NDArray[np.intp]


def tta_logits(network: Network, images: list[Images], *, contiguous: bool = False) -> TtaLogits:
    """Segment all slices at the first scale, and those with a trace of liver at the others.

    Args:
        network: Computes logits from images and the number of maps.
        images: The same slices at each TTA scale.
        contiguous: Also repeat the slices between those with a trace, as through-plane context requires.
    """
    maps = network(images[0], MAPS)
    repeated = np.flatnonzero(maps[-1].max(axis=(1, 2, 3)) > POSSIBLE_LOGIT)
    if contiguous and len(repeated):
        repeated = np.arange(repeated[0], repeated[-1] + 1)
    others = [network(each[repeated], 1)[-1] for each in images[1:]] if len(repeated) else []
    return TtaLogits(maps, others, repeated)
