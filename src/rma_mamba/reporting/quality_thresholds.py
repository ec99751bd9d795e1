"""Thresholds of the quality flags, each with its source."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class QualityThresholds:
    """Thresholds of the quality flags.

    Args:
        usual_ml: Usual liver volumes of adults. CT of 369 adults without liver disease: 594 to 2250 mL (Feng et al.,
            World J Gastroenterol 2017;23:4968); 366 autopsies: 685 to 2102 mL (PubMed 22350818); and 2444 mL for a
            body surface area of 2.6 m2 (Heinemann et al., Liver Transpl Surg 1999;5:366).
        plausible_ml: Outside this range the header is assumed to be wrong: the liver of a term newborn weighs more than
            80 g, and only polycystic livers exceed five litres.
        intensity: Median liver intensity on the network's input scale, 0 to 1. The reference masks of CHAOS T2 and BTCV
            have 0.22 to 0.67; the range was widened by about 0.1 on both sides.
        body_width_mm: Left-to-right width of the body at the level of the liver.
        slice_spacing_mm: Largest slice spacing; the training data had up to 7.7 mm.
        slices: Smallest number of slices with liver that gives a usable volume.
        liver_share: Share of the body cross-section in the slice where the liver is largest. The reference masks of
            BTCV and CHAOS T2 have 0.10 to 0.50; the upper
            threshold is 0.1 higher, and the lower one allows for small livers.
        component_share: Components with a larger share of the mask are counted.
        implausible_share: Share of the mask with intensities that liver cannot have, above which the light is yellow,
            and red. Four good masks of CT in HU lost less than 0.01% of their voxels.
        cut_slices: `MaskEvidence.cut_slices` above which the light is yellow, and red: reference masks of training and
            validation patients have at most 0.26, and masks without their upper third about 0.85.
        cut_in_plane: The same for coronal and sagittal planes: at most 0.10, and about 0.5 without a quarter.
        edgeless: Share of the border without an edge: reference masks have at most 0.44, masks eroded by 6 mm 0.75.
        foreign: Share of the mask that is darker, and brighter, than the liver in it: reference masks have at most
            0.10 and 0.04.
        shape_distance: `MaskEvidence.shape_distance`: reference masks have at most 5.5.
        dice: Estimated Dice below which the light is yellow, and red.
        spacing_ratio: Slice spacing estimated from the anatomy, divided by that in the header;
            docs/explanation/quality.md lists the usual values.
    """

    usual_ml: tuple[float, float] = (600.0, 2500.0)
    plausible_ml: tuple[float, float] = (80.0, 6000.0)
    intensity: tuple[float, float] = (0.12, 0.80)
    body_width_mm: tuple[float, float] = (170.0, 650.0)
    slice_spacing_mm: float = 10.0
    slices: int = 8
    liver_share: tuple[float, float] = (0.08, 0.60)
    component_share: float = 0.01
    implausible_share: tuple[float, float] = (0.02, 0.10)
    cut_slices: tuple[float, float] = (0.30, 0.45)
    cut_in_plane: tuple[float, float] = (0.18, 0.35)
    edgeless: float = 0.5
    foreign: tuple[float, float] = (0.14, 0.06)
    shape_distance: float = 6.0
    dice: tuple[float, float] = (0.85, 0.70)
    spacing_ratio: tuple[float, float] = (0.45, 2.2)


THRESHOLDS = QualityThresholds()
