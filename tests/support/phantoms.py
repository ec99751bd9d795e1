"""Small phantoms, generated once."""

import functools

import numpy as np

from rma_mamba.datasets.phantom import Phantom, make_phantom
from rma_mamba.datasets.phantom.tissues import Tissue

COARSE = {"shape": (96, 80, 36), "spacing_mm": (3.6, 3.6, 6.0)}


@functools.cache
def phantom(seed: int = 0, contrast: str = "mr_t2", randomise: bool = False) -> Phantom:
    return make_phantom(seed, contrast=contrast, randomise=randomise, **COARSE)


def centre_mm(made: Phantom, *tissues: Tissue) -> np.ndarray:
    """Centre of tissues in RAS+ mm."""
    index = np.argwhere(np.isin(made.labels, tissues)).mean(0)
    return made.volume.geometry.affine[:3, :3] @ index + made.volume.geometry.affine[:3, 3]
