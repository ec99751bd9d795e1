"""Does the header exchange sides, or give slices a wrong distance? The anatomy tells, the header cannot.

A very small network sees thumbnails of a few axial slices. It learnt on patients whose liver is on the right, whose
spine is at the back and whose lungs are above; which of these a scan shows does not depend on where liver was found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rma_mamba.inference.orientation_network import Answers, orientation_network
from rma_mamba.inference.thumbnails import thumbnails
from rma_mamba.reporting.quality import Anatomy, Exchange
from rma_mamba.slicing import SliceStack

Numbers = npt.NDArray[np.floating[Any]]

LEAST_SLICES = 5  # fewer show too little of a body to judge
_MOST_LIVER = 3  # slices: of those that look most like liver


@dataclass(frozen=True)
class Limits:
    """Where doubt begins: chosen on validation patients, docs/explanation/quality.md has what they find and miss.

    Args:
        side: Mean log-odds that a side is where the header says; under the negative of it the header is doubted.
        steady: Correlation of heights told from pictures and from the header; under the negative of it head and
            feet are doubted.
        straight: The same correlation, above which the distance of slices is told,
        body_mm: from so much of the body.
        liver: Log-odds under which no slice seems to hold liver.
    """

    side: float = 1.0
    steady: float = 0.6
    straight: float = 0.95
    body_mm: float = 150.0
    liver: float = -1.5


LIMITS = Limits()


@dataclass(frozen=True)
class Bearing:
    """What a few slices say together.

    Args:
        right: Mean log-odds that the patient's right is where the header says.
        front: The same of the belly.
        rise: Millimetres of body for one of the header, from foot to head: 1 if the header is right.
        steady: Correlation of both, -1 to 1; near 0 where heights cannot be told.
        body_mm: What of the body is seen, from the lowest to the highest slice.
        liver: Mean log-odds of liver in those slices that look most like it.
        slices: Slices that were seen.
    """

    right: float = 0.0
    front: float = 0.0
    rise: float = 0.0
    steady: float = 0.0
    body_mm: float = 0.0
    liver: float = 0.0
    slices: int = 0


def anatomy(stack: SliceStack, limits: Limits = LIMITS) -> Anatomy:
    """What the body says of a scan's header; nothing where too little of it is seen.

    Args:
        stack: The scan's slices.
        limits: Where doubt begins.
    """
    seen = bearing(stack)
    told = abs(seen.steady) > limits.straight and seen.body_mm > limits.body_mm
    rise = abs(seen.rise) if told else None
    return Anatomy(exchanged(seen, limits), rise, seen.liver < limits.liver)


def bearing(stack: SliceStack) -> Bearing:
    """How the body in a scan lies.

    Args:
        stack: The scan's slices.
    """
    pictures, shown = thumbnails(stack)
    if len(shown) < LEAST_SLICES:
        return Bearing(slices=len(shown))
    geometry = stack.volume.geometry
    distance_mm = geometry.spacing_mm[geometry.canonical.permutation[0]]
    return summed_up(orientation_network().ask(pictures), shown * distance_mm)


def summed_up(answers: Answers, height_mm: Numbers) -> Bearing:
    """The answers of several slices together.

    Args:
        answers: Of each slice.
        height_mm: Of each slice, as the header says.
    """
    right, front, told_dm, liver = (
        each.double().numpy()
        for each in (answers.right, answers.front, answers.height_dm, answers.liver)
    )
    rise, steady = _line(height_mm, told_dm * 100)
    most = float(np.sort(liver)[-_MOST_LIVER:].mean())
    body_mm = abs(rise) * float(np.ptp(height_mm))
    return Bearing(
        float(right.mean()), float(front.mean()), rise, steady, body_mm, most, len(liver)
    )


def exchanged(seen: Bearing, limits: Limits = LIMITS) -> tuple[Exchange, ...]:
    """The sides that the header of a scan seems to exchange; none where too little is seen.

    A patient whose organs lie the other way round (situs inversus) looks as a mirrored header does.
    """
    doubted: dict[Exchange, bool] = {
        "left and right": seen.right < -limits.side,
        "belly and back": seen.front < -limits.side,
        "head and feet": seen.steady < -limits.steady,
    }
    return tuple(side for side, doubt in doubted.items() if doubt)


def _line(x: Numbers, y: Numbers) -> tuple[float, float]:
    """Slope and correlation of y over x; 0 where one of them does not change."""
    x, y = x - x.mean(), y - y.mean()
    spread = float((x * x).sum() * (y * y).sum())
    if spread <= 0:
        return 0.0, 0.0
    both = float((x * y).sum())
    return both / float((x * x).sum()), both / spread**0.5
