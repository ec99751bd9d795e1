"""Intensities of a phantom: tissue contrast, texture, partial volume, coil sensitivity and noise."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from rma_mamba.datasets.phantom.anatomy import Anatomy
from rma_mamba.datasets.phantom.tissues import TISSUES, Tissue

_T = Tissue

# Mean intensity of each tissue: HU in CT (portal venous phase), arbitrary units in MR.
MEANS: Final[dict[str, dict[Tissue, float]]] = {
    "ct": {
        _T.AIR: -1000, _T.FAT: -100, _T.MUSCLE: 58, _T.BONE: 480, _T.MARROW: 190, _T.FLUID: 8,
        _T.LUNG: -850, _T.LIVER: 108, _T.LIVER_VESSEL: 165, _T.LESION: 60, _T.SPLEEN: 120,
        _T.CORTEX: 185, _T.MEDULLA: 165, _T.STOMACH: 30, _T.GAS: -900, _T.BOWEL: 70,
        _T.BLOOD: 160, _T.PANCREAS: 95,
    },
    "mr_t2": {
        _T.AIR: 0, _T.FAT: 130, _T.MUSCLE: 95, _T.BONE: 45, _T.MARROW: 170, _T.FLUID: 760,
        _T.LUNG: 15, _T.LIVER: 240, _T.LIVER_VESSEL: 390, _T.LESION: 480, _T.SPLEEN: 500,
        _T.CORTEX: 480, _T.MEDULLA: 620, _T.STOMACH: 560, _T.GAS: 15, _T.BOWEL: 320,
        _T.BLOOD: 60, _T.PANCREAS: 290,
    },
    "mr_t1": {
        _T.AIR: 0, _T.FAT: 800, _T.MUSCLE: 330, _T.BONE: 110, _T.MARROW: 480, _T.FLUID: 120,
        _T.LUNG: 30, _T.LIVER: 450, _T.LIVER_VESSEL: 300, _T.LESION: 300, _T.SPLEEN: 320,
        _T.CORTEX: 390, _T.MEDULLA: 270, _T.STOMACH: 260, _T.GAS: 15, _T.BOWEL: 340,
        _T.BLOOD: 210, _T.PANCREAS: 430,
    },
}  # fmt: skip
_TEXTURE: Final = {"ct": 6.0, "mr_t2": 16.0, "mr_t1": 20.0}  # standard deviation within a tissue
_NOISE: Final = {"ct": 14.0, "mr_t2": 16.0, "mr_t1": 14.0}
_SMOOTH: Final = (_T.AIR, _T.GAS, _T.LUNG)  # without texture


def render(
    anatomy: Anatomy, contrast: str, random: np.random.Generator, *, randomise: bool
) -> npt.NDArray[np.int16]:
    """Intensities of an anatomy, int16 on its grid."""
    means = _means(contrast, random, randomise)
    shape = anatomy.tissue.shape
    values = means[anatomy.tissue]
    grain = ndimage.gaussian_filter(random.normal(size=shape).astype(np.float32), (1.5, 1.5, 0.5))
    grain *= np.float32(_TEXTURE[contrast]) / grain.std()
    values += np.where(np.isin(anatomy.tissue, _SMOOTH), np.float32(0), grain)
    values = ndimage.gaussian_filter(values, (0.7, 0.7, 0.25))  # partial volume
    level = random.uniform(0.5, 2.0) if randomise else 1.0
    noise = np.float32(level * _NOISE[contrast]) * random.normal(size=(2, *shape)).astype(
        np.float32
    )
    if contrast == "ct":
        values = np.clip(values + noise[0], -1024, 2000)
    else:
        values *= _coil(shape, random, 0.35 if randomise else 0.15)
        values = np.hypot(values + noise[0], noise[1])  # Rician
    intensities: npt.NDArray[np.int16] = np.rint(values).astype(np.int16)
    return intensities


def _means(contrast: str, random: np.random.Generator, randomise: bool) -> npt.NDArray[np.float32]:
    table = MEANS[contrast]
    means = np.array([table[tissue] for tissue in TISSUES], np.float32)
    if not randomise:
        return means
    liver = [_T.LIVER, _T.LIVER_VESSEL]
    if contrast == "ct":
        organs = [tissue for tissue in TISSUES if 0 < table[tissue] < 200]
        means[organs] += random.normal(0, 15, len(organs))
        means[liver] += random.uniform(-70, 30)  # fat, iron, contrast phase
    else:
        means *= np.exp(random.normal(0, 0.22, len(means)))
        means[liver] *= np.exp(random.uniform(np.log(0.35), np.log(1.7)))
    means[_T.LESION] = means[_T.LIVER] + random.choice((-1, 1)) * random.uniform(0.15, 0.5) * abs(
        means[_T.LIVER]
    )
    return means


def _coil(
    shape: tuple[int, ...], random: np.random.Generator, strength: float
) -> npt.NDArray[np.float32]:
    """Coil sensitivity: a smooth positive factor around 1."""
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, size) for size in shape), indexing="ij", sparse=True)
    slopes = random.uniform(-strength, strength, 5)
    field = slopes[0] * x + slopes[1] * y + slopes[2] * z + slopes[3] * x * y + slopes[4] * x**2
    factor: npt.NDArray[np.float32] = np.exp(field).astype(np.float32)
    return factor
