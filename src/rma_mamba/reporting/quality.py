"""What speaks against a mask, as flags and one traffic light.

red     the mask or the scan's header cannot be right: do not use the numbers
yellow  look closely: something is unusual, cut off, or was never seen in training
green   nothing was found that speaks against the mask: still look at it

Flags are found from the scan and the mask alone. Ranges stand in `Limits`, each with its source.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from rma_mamba.reporting.measure import measure
from rma_mamba.volume import Geometry, Mask, Volume

Severity = Literal["yellow", "red"]
Light = Literal["green", "yellow", "red"]
Exchange = Literal["left and right", "belly and back", "head and feet"]

_LIGHTS: tuple[Light, ...] = ("green", "yellow", "red")
_BODY = 0.1  # of the grey scale: brighter than air
_FINE_MM = 4.0  # parts are counted, and the body is seen, on voxels of about this size


@dataclass(frozen=True)
class Limits:
    """Where the unusual begins.

    Args:
        usual_ml: Volumes of livers. CT of 369 adults without liver disease: 594 to 2250 mL (Feng et al., World J
            Gastroenterol 2017;23:4968); 366 autopsies: 685 to 2102 mL (PubMed 22350818); and 2444 mL for a
            body surface of 2.6 m2 (Heinemann et al., Liver Transpl Surg 1999;5:366).
        possible_ml: Beyond these no header is believed: a child's liver at term weighs more than 80 g, and only
            polycystic livers pass five litres.
        level: Median of the liver on the network's grey scale, 0 to 1. Of the reference masks of CHAOS T2 and BTCV
            it is 0.22 to 0.67; a tenth of the scale more on both sides.
        body_mm: Width of the body from side to side where the liver is.
        thick_mm: Distance of slices; the training's were up to 7.7 mm apart.
        slices: Fewest slices with liver that make a volume.
        liver_share: Share of the body that the liver has in the slice where it is largest. Of the reference masks of
            BTCV and CHAOS T2 it is 0.10 to 0.50; a tenth more, and room for small livers.
        part_share: A part of this share of the liver counts.
        dice: Predicted Dice under which the light is yellow, and red.
        rise: Body millimetres per millimetre of the header, from slice to slice (docs/explanation/quality.md).
    """

    usual_ml: tuple[float, float] = (600.0, 2500.0)
    possible_ml: tuple[float, float] = (80.0, 6000.0)
    level: tuple[float, float] = (0.12, 0.80)
    body_mm: tuple[float, float] = (170.0, 650.0)
    thick_mm: float = 10.0
    slices: int = 8
    liver_share: tuple[float, float] = (0.08, 0.60)
    part_share: float = 0.01
    dice: tuple[float, float] = (0.85, 0.70)
    rise: tuple[float, float] = (0.45, 2.2)


LIMITS = Limits()


@dataclass(frozen=True)
class Anatomy:
    """What the body in a scan says of its header, beside the mask.

    Args:
        exchanged: Sides that the header seems to exchange.
        rise: Millimetres of body for one of the header, from slice to slice; None where it cannot be told.
        without_liver: Whether no slice looks as if it held liver.
    """

    exchanged: tuple[Exchange, ...] = ()
    rise: float | None = None
    without_liver: bool = False


@dataclass(frozen=True)
class Flag:
    """One thing that speaks against a mask.

    Args:
        code: A name for programs, stable from version to version.
        message: A sentence for people, without anything that names the patient.
        severity: The light that it alone would give.
    """

    code: str
    message: str
    severity: Severity


@dataclass(frozen=True)
class Quality:
    """All flags of one case, the gravest first, and the Dice that is to be expected.

    Args:
        flags: What was found.
        predicted_dice: From validation data; None where nothing can be said.
    """

    flags: tuple[Flag, ...] = ()
    predicted_dice: float | None = None

    @property
    def light(self) -> Light:
        """The gravest flag's colour, or green."""
        return max((flag.severity for flag in self.flags), key=_LIGHTS.index, default="green")

    @property
    def line(self) -> str:
        """All in one line: "yellow: touches_border; predicted Dice 0.91"."""
        codes = ", ".join(flag.code for flag in self.flags) or "no flags"
        dice = "" if self.predicted_dice is None else f"; predicted Dice {self.predicted_dice:.2f}"
        return f"{self.light}: {codes}{dice}"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        dice = None if self.predicted_dice is None else round(self.predicted_dice, 3)
        flags = [vars(flag) for flag in self.flags]
        return {"light": self.light, "predicted_dice": dice, "flags": flags}


NOTHING_SAID = Anatomy()


def assess(
    volume: Volume,
    mask: Mask,
    scale: tuple[float, float],
    *,
    predicted_dice: float | None = None,
    anatomy: Anatomy = NOTHING_SAID,
    limits: Limits = LIMITS,
) -> Quality:
    """Everything that speaks against a mask.

    Args:
        volume: The scan.
        mask: Its mask.
        scale: Intensities that the network saw as 0 and 1.
        predicted_dice: What the agreement of looks and maps predicts.
        anatomy: What the body says of the header.
        limits: Where the unusual begins.
    """
    flags = [
        *_header(anatomy, limits),
        *_region(anatomy, mask),
        *_volume(mask, limits),
        *_slices(mask.geometry, mask, limits),
        *_parts(mask, limits),
        *_surroundings(volume, mask, scale, limits),
        *_prediction(predicted_dice, limits),
    ]
    flags.sort(key=lambda flag: -_LIGHTS.index(flag.severity))
    return Quality(tuple(flags), predicted_dice)


def _header(anatomy: Anatomy, limits: Limits) -> Iterator[Flag]:
    if anatomy.exchanged:
        yield Flag(
            "mirrored",
            f"The organs lie as if the header exchanged {', and '.join(anatomy.exchanged)}: "
            "the mask is not to be trusted. Compare the scan with its source.",
            "red",
        )
    low, high = limits.rise
    if anatomy.rise is not None and not low <= anatomy.rise <= high:
        message = (
            f"From slice to slice the body changes as if they lay {anatomy.rise:.1f} times as far apart as the "
            "header says: volumes are wrong by as much. Check the distance of slices in the header."
        )
        yield Flag("slice_distance", message, "red")


def _region(anatomy: Anatomy, mask: Mask) -> Iterator[Flag]:
    if anatomy.without_liver and mask.labels.any():
        message = "No slice looks as if it held liver: the scan may show another region."
        yield Flag("other_region", message, "yellow")


def _volume(mask: Mask, limits: Limits) -> Iterator[Flag]:
    found = measure(mask)
    if not found.volume_ml:
        message = "No liver was found: the scan shows another region, or the mask is wrong."
        yield Flag("no_liver", message, "red")
        return
    if found.touches_border:
        faces = ", ".join(found.touches_border)
        message = f"The liver reaches the edge of the scan ({faces}): its volume is a lower bound."
        yield Flag("touches_border", message, "yellow")
    (small, large), (least, most) = limits.usual_ml, limits.possible_ml
    size = f"The volume is {found.volume_ml:.0f} mL; "
    if found.volume_ml > most or (found.volume_ml < least and not found.touches_border):
        message = f"{size}no liver is like that ({least:.0f} to {most:.0f} mL). Check the voxel size in the header."
        yield Flag("volume_impossible", message, "red")
    elif found.volume_ml > large or (found.volume_ml < small and not found.touches_border):
        message = f"{size}livers of adults mostly have {small:.0f} to {large:.0f} mL."
        yield Flag("volume_unusual", message, "yellow")


def _slices(geometry: Geometry, mask: Mask, limits: Limits) -> Iterator[Flag]:
    order = geometry.canonical
    thick_mm = geometry.spacing_mm[order.permutation[0]]
    filled = int(order.apply(mask.labels).any(axis=(1, 2)).sum())
    if 0 < filled < limits.slices:
        count = "one slice" if filled == 1 else f"{filled} slices"
        message = f"The liver is seen in {count} only: its volume is coarse."
        yield Flag("few_slices", message, "yellow")
    if thick_mm > limits.thick_mm:
        message = f"Slices are {thick_mm:.1f} mm apart; the network learnt on less."
        yield Flag("thick_slices", message, "yellow")


def _parts(mask: Mask, limits: Limits) -> Iterator[Flag]:
    boxes = ndimage.find_objects((mask.labels > 0).astype(np.uint8))
    if not boxes:
        return
    inside = mask.labels[boxes[0]][_steps(mask.geometry)] > 0
    parts, count = ndimage.label(inside, structure=np.ones((3, 3, 3)))
    sizes = np.sort(np.bincount(parts.ravel(), minlength=count + 1)[1:])[::-1]
    large = int((sizes > limits.part_share * sizes.sum()).sum())
    if large > 1:
        message = f"The mask has {large} separate parts; the liver is one organ."
        yield Flag("several_parts", message, "yellow")


def _surroundings(
    volume: Volume, mask: Mask, scale: tuple[float, float], limits: Limits
) -> Iterator[Flag]:
    """Flags that need the intensities, on a coarse grid: brightness, and the body around the liver."""
    order, steps = mask.geometry.canonical, _steps(mask.geometry)
    liver = order.apply(mask.labels[steps] > 0)
    if not liver.any():
        return
    low, high = scale
    grey = order.apply(volume.values[steps]).astype(np.float64)
    grey = np.nan_to_num((grey - low) / max(high - low, 1e-12))
    level = float(np.median(grey[liver]))
    if not limits.level[0] <= level <= limits.level[1]:
        message = (
            f"The liver's brightness is {level:.2f} of the network's grey scale; expected "
            f"{limits.level[0]:.2f} to {limits.level[1]:.2f}. The contrast is new to the network."
        )
        yield Flag("intensity_unusual", message, "yellow")
    body = grey > _BODY
    spacing_mm = [mask.geometry.spacing_mm[axis] * steps[axis].step for axis in order.permutation]
    yield from _body(liver, body, spacing_mm[2], limits)


def _body(
    liver: npt.NDArray[np.bool_], body: npt.NDArray[np.bool_], column_mm: float, limits: Limits
) -> Iterator[Flag]:
    areas = liver.sum(axis=(1, 2))
    largest = int(areas.argmax())
    share = float(areas[largest] / max(1, (body | liver)[largest].sum()))
    least, most = limits.liver_share
    if share < least:
        message = (
            f"The liver has at most {share:.1%} of a slice of the body; usually it has {least:.0%} "
            "or more. The scan may show another region."
        )
        yield Flag("little_liver", message, "yellow")
    if share > most:
        message = (
            f"The mask has {share:.0%} of a slice of the body; no liver was seen to have more than {most:.0%}. "
            "The scan may show another region, a head for one."
        )
        yield Flag("much_liver", message, "yellow")
    width_mm = float((body[largest].mean(axis=0) > 0.1).sum() * column_mm)
    low, high = limits.body_mm
    if not low <= width_mm <= high:
        message = (
            f"The body is {width_mm:.0f} mm wide at the liver; expected {low:.0f} to {high:.0f} mm. "
            "Check the voxel size in the header."
        )
        yield Flag("body_size", message, "red" if width_mm > high else "yellow")


def _prediction(dice: float | None, limits: Limits) -> Iterator[Flag]:
    if dice is not None and dice < limits.dice[0]:
        message = f"Looks at the scan disagree: a Dice of about {dice:.2f} is to be expected."
        yield Flag("disagreement", message, "red" if dice < limits.dice[1] else "yellow")


def _steps(geometry: Geometry) -> tuple[slice, slice, slice]:
    i, j, k = (slice(None, None, max(1, round(_FINE_MM / mm))) for mm in geometry.spacing_mm)
    return i, j, k
