"""The quality of a mask: flags, and the traffic-light rating that they give.

red     the mask or the scan's header cannot be correct: do not use the measurements
yellow  review closely: something is unusual, cut off, or not covered by the training data
green   no quality problems found: still review the mask

`quality_checks.assess` derives the flags from the scan and the mask alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from rma_mamba.deprecation import warn_renamed, with_old_fields

Severity = Literal["yellow", "red"]
Light = Literal["green", "yellow", "red"]
FlippedAxis = Literal["left/right", "anterior/posterior", "superior/inferior"]

LIGHTS: tuple[Light, ...] = ("green", "yellow", "red")

# Flag codes of version 0.1, written in addition to the new ones until 0.3.0.
_OLD_CODES = {
    "flipped_axes": "mirrored",
    "slice_spacing": "slice_distance",
    "multiple_components": "several_parts",
    "liver_share_low": "little_liver",
    "liver_share_high": "much_liver",
    "body_width": "body_size",
    "low_estimated_dice": "disagreement",
}


@dataclass(frozen=True)
class AnatomyCheck:
    """Comparison of the scan's header with the anatomy, independent of the mask.

    Args:
        flipped: Axes that seem to be flipped in the header.
        spacing_ratio: Slice spacing estimated from the anatomy, divided by that in the header; None if unknown.
        no_liver_visible: Whether no slice seems to contain liver.
    """

    flipped: tuple[FlippedAxis, ...] = ()
    spacing_ratio: float | None = None
    no_liver_visible: bool = False


@dataclass(frozen=True)
class Flag:
    """One quality problem.

    Args:
        code: Identifier for programs, stable from version to version.
        message: A sentence for the reader, without patient data.
        severity: The colour that this flag alone would give.
    """

    code: str
    message: str
    severity: Severity

    def as_dict(self) -> dict[str, str]:
        """For JSON."""
        flag = {"code": self.code, "message": self.message, "severity": self.severity}
        old = _OLD_CODES.get(self.code)
        return flag if old is None else {**flag, "old_code": old}


@dataclass(frozen=True)
class Quality:
    """All flags of one case, the most severe first, and the estimated Dice.

    Args:
        flags: Quality problems.
        estimated_dice: Dice of validation masks with similar agreement; None if unknown.
    """

    flags: tuple[Flag, ...] = ()
    estimated_dice: float | None = None

    @property
    def light(self) -> Light:
        """Colour of the most severe flag, or green."""
        return max((flag.severity for flag in self.flags), key=LIGHTS.index, default="green")

    @property
    def line(self) -> str:
        """Summary in one line: "yellow (touches_border); estimated Dice 0.91"."""
        codes = ", ".join(flag.code for flag in self.flags) or "no problems found"
        dice = "" if self.estimated_dice is None else f"; estimated Dice {self.estimated_dice:.2f}"
        return f"{self.light} ({codes}){dice}"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        dice = None if self.estimated_dice is None else round(self.estimated_dice, 3)
        flags = [flag.as_dict() for flag in self.flags]
        content = {"light": self.light, "estimated_dice": dice, "flags": flags}
        return with_old_fields(content, {"estimated_dice": "predicted_dice"})

    @property
    def predicted_dice(self) -> float | None:
        """Deprecated name of `estimated_dice`."""
        warn_renamed("Quality.predicted_dice", "Quality.estimated_dice")
        return self.estimated_dice
