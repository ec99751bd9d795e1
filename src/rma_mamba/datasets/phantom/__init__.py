"""Synthetic abdominal scans (phantoms) with a liver of known volume.

>>> phantom = make_phantom(0, contrast="ct")
>>> phantom.mask.volume_ml
"""

from rma_mamba.datasets.phantom.liver_shape import LiverShape, shape_files
from rma_mamba.datasets.phantom.synthesis import CONTRASTS, Contrast, Phantom, make_phantom

__all__ = ["CONTRASTS", "Contrast", "LiverShape", "Phantom", "make_phantom", "shape_files"]
