"""Synthesis of phantoms: schematic MR and CT scans of the abdomen with a liver of known volume.

Phantoms are drawn from smooth shapes. They verify the path from a file to a volume in mL, and add livers in many
contrasts to the training data. They say nothing about accuracy on patients.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal, get_args

import numpy as np
import numpy.typing as npt

from rma_mamba.datasets.phantom.anatomy import Anatomy, draw_anatomy
from rma_mamba.datasets.phantom.contrast import render
from rma_mamba.datasets.phantom.liver_shape import LiverShape
from rma_mamba.errors import ConfigError
from rma_mamba.volume import Geometry, Mask, Volume

Contrast = Literal["mr_t2", "mr_t1", "ct"]
CONTRASTS: Final[tuple[Contrast, ...]] = get_args(Contrast)

_GRIDS: Final = {  # shape, spacing in mm
    "mr_t2": ((256, 256, 36), (1.4, 1.4, 6.0)),
    "mr_t1": ((256, 256, 36), (1.4, 1.4, 6.0)),
    "ct": ((256, 256, 60), (1.5, 1.5, 4.0)),
}


@dataclass(frozen=True, eq=False)
class Phantom:
    """A synthetic scan with its ground truth.

    Args:
        volume: int16 intensities in HU (CT) or arbitrary units (MR). Axes run right, anterior and superior (RAS).
        labels: uint8 tissues on the same grid, values of `Tissue`.
        mask: The liver including its vessels and lesions; `mask.volume_ml` is the true volume.
    """

    volume: Volume
    labels: npt.NDArray[np.uint8] = field(repr=False)
    mask: Mask


def make_phantom(
    seed: int,
    *,
    contrast: Contrast = "mr_t2",
    randomise: bool = False,
    shape: tuple[int, int, int] | None = None,
    spacing_mm: tuple[float, float, float] | None = None,
    liver_shape: LiverShape | None = None,
) -> Phantom:
    """Generate a phantom; the same arguments always give the same voxels.

    Args:
        seed: Determines size and shape of the organs, texture and noise.
        contrast: "mr_t2" (fat-suppressed), "mr_t1" (in phase) or "ct" (portal venous phase).
        randomise: Vary everything strongly, for training: organ sizes, contrasts (a liver dark with iron, or brighter
            than the spleen), ascites, lesions and noise.
        shape: Voxels along x, y, z; None: 256 x 256 x 36 (MR) or 256 x 256 x 60 (CT).
        spacing_mm: Voxel size; None: 1.4 x 1.4 x 6 mm (MR) or 1.5 x 1.5 x 4 mm (CT).
        liver_shape: The liver of a patient, in place of the schematic one; what lies outside the abdominal cavity of
            the phantom is cut off.

    Raises:
        ConfigError: The contrast is unknown.
    """
    if contrast not in CONTRASTS:
        raise ConfigError(
            f"unknown contrast '{contrast}'; expected one of {', '.join(CONTRASTS)}. Choose one."
        )
    random = np.random.default_rng([seed, CONTRASTS.index(contrast)])
    shape, spacing_mm = shape or _GRIDS[contrast][0], spacing_mm or _GRIDS[contrast][1]
    anatomy: Anatomy = draw_anatomy(
        shape, spacing_mm, random, randomise=randomise, liver_shape=liver_shape
    )
    values = render(anatomy, contrast, random, randomise=randomise)
    affine = np.diag([*spacing_mm, 1.0])
    affine[:3, 3] = [-(size - 1) / 2 * mm for size, mm in zip(shape, spacing_mm, strict=True)]
    geometry = Geometry(shape, affine)
    modality: Literal["CT", "MR"] = "CT" if contrast == "ct" else "MR"
    return Phantom(
        Volume(values, geometry, modality), anatomy.tissue, Mask(anatomy.liver, geometry)
    )
