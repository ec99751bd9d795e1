"""Random changes of a CT in Hounsfield units: contrast phases, fluid, and diffuse liver disease.

CT is calibrated: unlike the contrasts of MR, intensities of an organ are limited to what contrast agent and disease can
cause. The ranges are typical values of textbooks.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from torch import Tensor

from rma_mamba.datasets.augmentation.synthetic_contrast import RandContrast, blurred
from rma_mamba.datasets.slices import Sample

Range = tuple[float, float]

# Label values of BTCV (Synapse syn3193805), by which organs are found.
_SPLEEN, _KIDNEYS, _GALLBLADDER, _LIVER, _STOMACH = 1, (2, 3), 4, 6, 7
_AORTA, _CAVA, _PORTAL, _PANCREAS, _ADRENALS = 8, 9, 10, 11, (12, 13)

# Mean HU of organs: unenhanced, late arterial, portal venous, delayed.
_PHASES: Final = 4
_ORGAN_HU: Final[dict[int, tuple[Range, Range, Range, Range]]] = {
    _SPLEEN: ((38, 56), (100, 160), (100, 135), (78, 102)),
    _KIDNEYS[0]: ((26, 42), (110, 190), (150, 210), (130, 190)),
    _KIDNEYS[1]: ((26, 42), (110, 190), (150, 210), (130, 190)),
    _GALLBLADDER: ((-2, 22), (-2, 22), (-2, 22), (0, 25)),
    _LIVER: ((48, 68), (58, 88), (88, 125), (76, 98)),
    _AORTA: ((32, 52), (220, 380), (125, 180), (88, 118)),
    _CAVA: ((32, 52), (60, 140), (90, 170), (86, 116)),
    _PORTAL: ((32, 52), (80, 140), (145, 190), (88, 118)),
    _PANCREAS: ((30, 52), (85, 130), (75, 108), (60, 82)),
    _ADRENALS[0]: ((10, 40), (50, 100), (60, 100), (40, 70)),
    _ADRENALS[1]: ((10, 40), (50, 100), (60, 100), (40, 70)),
}
_STOMACH_HU: Final[tuple[Range, ...]] = ((-5, 25), (30, 60), (100, 400))  # water, food, contrast
# Shift of the liver: none, fat, iron or amiodarone, cirrhosis.
_DISEASE_HU: Final[tuple[Range, ...]] = ((0, 0), (-70, -15), (15, 55), (-20, -5))
_DISEASE_SHARE: Final = (0.55, 0.2, 0.1, 0.15)
_BONE_HU, _SOFT_HU = 230, 70


class _InHounsfield(RandContrast):
    """Base of the changes: applied with a probability, to intensities of the window in [0, 1].

    Args:
        probability: Probability of the change.
        window_hu: Hounsfield units of 0 and 1.
    """

    def __init__(self, probability: float, window_hu: Range) -> None:
        super().__init__(probability)
        self.window_hu = window_hu

    def __call__(self, data: Sample) -> Sample:
        """Transform a stack with "image" [slice, height, width] in [0, 1], "label" and "tissues"."""
        if self.is_skipped():
            return data
        low, high = self.window_hu
        hu = data["image"] * (high - low) + low
        changed = (self.change(hu, data) - low) / (high - low)
        return {**data, "image": changed}

    def change(self, hu: Tensor, data: Sample) -> Tensor:
        """The changed Hounsfield units."""
        raise NotImplementedError

    def _draw(self, limits: Range) -> float:
        return float(self.R.uniform(*limits))


class RandContrastPhase(_InHounsfield):
    """Give labelled organs the mean HU of a random contrast phase; the liver, that of a random diffuse disease.

    If only the liver is labelled, only its disease is imitated.
    """

    def change(self, hu: Tensor, data: Sample) -> Tensor:
        """As in the base class."""
        disease = int(self.R.choice(len(_DISEASE_HU), p=_DISEASE_SHARE))
        shift = self._draw(_DISEASE_HU[disease])
        organs = data["tissues"].long()
        if int(organs.max()) <= 1 or "classes" in data:  # other organs are not labelled
            return hu + shift * blurred(data["label"], 1)
        phase = int(self.R.randint(_PHASES))
        texture = (float(self.R.uniform(0.2, 0.8)), 1.0, 1.0, float(self.R.uniform(0.5, 1)))[phase]
        changed = self._others(hu, organs, phase)
        for label, ranges in _ORGAN_HU.items():
            inside = organs == label
            if inside.any():
                target = self._draw(ranges[phase]) + (shift if label == _LIVER else 0)
                values = hu[inside]
                changed[inside] = target + texture * (values - values.median())
        inside = organs == _STOMACH
        if inside.any() and self.R.random() < 0.5:
            contents = _STOMACH_HU[int(self.R.randint(len(_STOMACH_HU)))]
            filled = inside & (hu > -30)
            changed[filled] = self._draw(contents) + 0.5 * (hu[filled] - hu[filled].median())
        # labels have hard borders, scans have soft ones
        return hu + blurred(changed - hu, 1)

    def _others(self, hu: Tensor, organs: Tensor, phase: int) -> Tensor:
        """Unlabelled vessels and bowel lose their contrast agent in an unenhanced scan; bone keeps its HU."""
        changed = hu.clone()
        if phase == 0:
            near_bone = blurred((hu > _BONE_HU).float(), 4) > 0.02
            bright = (organs == 0) & (hu > _SOFT_HU) & ~near_bone
            changed[bright] = _SOFT_HU - 10 + 0.15 * (hu[bright] - _SOFT_HU)
        return changed


class RandEffusion(_InHounsfield):
    """Fill the posterior part of the lungs with fluid, as a pleural effusion of a supine patient does."""

    def change(self, hu: Tensor, data: Sample) -> Tensor:
        """As in the base class."""
        lung = _inside_body(hu) & (hu < -115) & (data["label"] < 0.5)
        rows = lung.any(0).any(1).nonzero().flatten()
        if len(rows) < 8:
            return hu
        height, width = hu.shape[-2:]
        level = float(torch.quantile(rows.float(), float(self.R.uniform(0.2, 0.85))))
        tilt = float(self.R.uniform(-0.3, 0.3))
        columns = torch.arange(width, device=hu.device) - width / 2
        last = float(self.R.uniform(-25, 25))
        rising = torch.linspace(0, last, len(hu), device=hu.device)[:, None, None]
        below = torch.arange(height, device=hu.device)[:, None] > level + tilt * columns + rising
        if self.R.random() < 0.6:  # one side only
            below &= columns < 0 if self.R.random() < 0.65 else columns > 0
        return _fill(hu, lung & below, self._draw((-2, 28)), self.R)


class RandAscites(_InHounsfield):
    """Replace fat around the liver by fluid."""

    def change(self, hu: Tensor, data: Sample) -> Tensor:
        """As in the base class."""
        reach = int(self.R.randint(3, 16))
        near = torch.nn.functional.max_pool2d(data["label"][None], 2 * reach + 1, 1, reach)[0] > 0
        fat = near & (hu > -124) & (hu < -30) & (data["label"] < 0.5)
        return _fill(hu, fat, self._draw((-2, 28)), self.R)


class RandMetal(_InHounsfield):
    """Draw bright tubes and clips inside the liver, like stents (TIPS), coils and surgical clips."""

    def change(self, hu: Tensor, data: Sample) -> Tensor:
        """As in the base class."""
        inside = data["label"].nonzero()
        if len(inside) == 0:
            return hu
        slices, height, width = hu.shape
        changed = hu.clone()
        rows, columns = (torch.arange(size, device=hu.device) for size in (height, width))
        for _ in range(self.R.randint(1, 4)):
            number, row, column = inside[self.R.randint(len(inside))].tolist()
            radius, length = self.R.uniform(0.8, 2.5), int(self.R.randint(1, slices + 1))
            drift = self.R.uniform(-3, 3, 2)
            for step in range(min(length, slices - number)):
                r, c = row + drift[0] * step, column + drift[1] * step
                y, x = rows[:, None] - r, columns - c
                changed[number + step][(y**2 + x**2) < radius**2] = self.R.uniform(300, 1500)
        return changed


def _inside_body(hu: Tensor) -> Tensor:
    """Whether there is tissue in all four in-plane directions."""
    tissue = (hu > -110).float()
    inside = torch.ones_like(tissue, dtype=torch.bool)
    for axis in (-2, -1):
        inside &= tissue.cummax(axis).values > 0
        inside &= tissue.flip(axis).cummax(axis).values.flip(axis) > 0
    return inside


def _fill(hu: Tensor, where: Tensor, value: float, random: np.random.RandomState) -> Tensor:
    """Replace voxels by fluid, with noise and soft borders."""
    noise = torch.from_numpy(random.normal(0, 9, hu.shape)).float().to(hu.device)
    filled = torch.where(where, value + noise, hu)
    return torch.where(where, filled, hu + blurred(filled - hu, 1) * (hu > -115))
