"""Evidence in a scan against a mask, and by how much it lowers the estimated Dice."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from rma_mamba.reporting.measure import Face

Kind = Literal["cut_slices", "cut_in_plane", "edgeless", "dark", "bright", "shape_distance"]


@dataclass(frozen=True)
class MaskEvidence:
    """Evidence against a mask, as `examine_mask` finds it; all zero for a perfect one.

    Each kind lowers the estimated Dice by a factor that `scripts/fit_mask_evidence.py` fitted to reference masks with
    parts removed and with other organs, lung and fluid added.

    Args:
        cut_slices: Largest part of a slice where the mask ends although the next slice has the liver's intensity
            there, divided by the area of the largest slice.
        cut_in_plane: The same for coronal and sagittal planes.
        missing: (Area of `cut_slices`)^1.5 / volume of the mask: proportional to the share that seems to be missing.
        edgeless: Share of the border with the liver's intensity on the other side.
        dark: Share of the mask that is much darker than the liver in it.
        bright: Share of the mask that is much brighter than the liver in it.
        shape_distance: Mahalanobis distance from the shapes of healthy and diseased livers; 0 if the scan ends within
            the liver.
        cut_face: Face towards which the mask ends most abruptly.
    """

    cut_slices: float = 0.0
    cut_in_plane: float = 0.0
    missing: float = 0.0
    edgeless: float = 0.0
    dark: float = 0.0
    bright: float = 0.0
    shape_distance: float = 0.0
    cut_face: Face = "superior"

    def as_dict(self) -> dict[str, float | str]:
        """For JSON."""
        return {
            name: round(value, 4) if isinstance(value, float) else value
            for name, value in asdict(self).items()
        }

    @property
    def dice_factor(self) -> float:
        """By how much the evidence lowers the estimated Dice: 1.0 without evidence."""
        slopes = calibration()["slopes"]
        height = sum(slope * self.regressor(kind) for kind, slope in slopes.items())
        return math.exp(-height)

    def regressor(self, kind: Kind) -> float:
        """The evidence in proportion to the loss of Dice; 0 in the range of reference masks."""
        value, limit = getattr(self, kind), calibration()["limits"][kind]
        excess = min(1.0, max(0.0, (value - limit) / (0.3 * limit)))
        if kind == "cut_slices":
            value = self.missing
        elif kind == "shape_distance":
            value = value - limit
        return float(value * excess)


NO_EVIDENCE = MaskEvidence()


@cache
def calibration() -> dict[str, Any]:
    """Fitted factors, limits of reference masks, the distribution of liver shapes, and their provenance."""
    text = (files("rma_mamba.reporting") / "mask_evidence.json").read_text(encoding="utf-8")
    content: dict[str, Any] = json.loads(text)
    return content
