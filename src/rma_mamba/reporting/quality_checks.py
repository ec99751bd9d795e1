"""The checks behind the quality flags. To add a flag: write a check, and list it in `assess`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from rma_mamba.deprecation import with_renamed_arguments
from rma_mamba.reporting.mask_evidence import NO_EVIDENCE, MaskEvidence
from rma_mamba.reporting.measure import measure
from rma_mamba.reporting.quality import LIGHTS, AnatomyCheck, Flag, Quality
from rma_mamba.reporting.quality_thresholds import THRESHOLDS, QualityThresholds
from rma_mamba.volume import Geometry, Mask, Volume

NO_PROBLEMS = AnatomyCheck()

_BODY = 0.1  # of the intensity scale: brighter than air
_COARSE_MM = 4.0  # components and the body are examined on voxels of about this size


@with_renamed_arguments(predicted_dice="estimated_dice", limits="thresholds")
def assess(
    volume: Volume,
    mask: Mask,
    scale: tuple[float, float],
    *,
    estimated_dice: float | None = None,
    anatomy: AnatomyCheck = NO_PROBLEMS,
    implausible_share: float = 0.0,
    evidence: MaskEvidence = NO_EVIDENCE,
    thresholds: QualityThresholds = THRESHOLDS,
) -> Quality:
    """Assess the quality of a mask.

    Args:
        volume: The scan, calibrated.
        mask: Its mask.
        scale: Intensities that become 0 and 1 in the network's input.
        estimated_dice: The Dice estimated from the agreement between TTA scales and maps, and from the evidence.
        anatomy: Comparison of the anatomy with the header.
        implausible_share: Share of the mask with intensities that liver cannot have, removed or enclosed.
        evidence: Evidence in the scan against the mask.
        thresholds: Thresholds of the flags.
    """
    flags = [
        *_check_header(anatomy, thresholds),
        *_check_gaps(volume),
        *_check_region(anatomy, mask),
        *_check_volume(mask, thresholds),
        *_check_slices(mask, thresholds),
        *_check_components(mask, thresholds),
        *_check_surroundings(volume, mask, scale, thresholds),
        *_check_plausibility(implausible_share, thresholds),
        *evidence_flags(evidence, thresholds),
        *_check_agreement(estimated_dice, thresholds),
    ]
    flags.sort(key=lambda flag: -LIGHTS.index(flag.severity))
    return Quality(tuple(flags), estimated_dice)


def _check_header(anatomy: AnatomyCheck, thresholds: QualityThresholds) -> Iterator[Flag]:
    if anatomy.flipped:
        message = (
            f"The anatomy suggests that the header flips {' and '.join(anatomy.flipped)}. "
            "Do not rely on the mask; compare the scan with its source."
        )
        yield Flag("flipped_axes", message, "red")
    low, high = thresholds.spacing_ratio
    if anatomy.spacing_ratio is not None and not low <= anatomy.spacing_ratio <= high:
        message = (
            f"The anatomy suggests a slice spacing of {anatomy.spacing_ratio:.1f} times the value in the header; "
            "the volume would be wrong by the same factor. Check the slice spacing in the header."
        )
        yield Flag("slice_spacing", message, "red")


def _check_gaps(volume: Volume) -> Iterator[Flag]:
    """Slices that the scan lacks, or one of its channels."""
    count = max(len(each.missing_slices) for each in (volume, *volume.channels.values()))
    if count:
        slices, were = ("slice", "it was") if count == 1 else ("slices", "they were")
        seem = "seems" if count == 1 else "seem"
        message = (  # as in the warning of the reader, so that it is said once
            f"About {count} {slices} of the series {seem} to be missing: {were} interpolated from the slices next to "
            "the gap, and the mask is not reliable there."
        )
        yield Flag("missing_slices", message, "yellow")


def _check_region(anatomy: AnatomyCheck, mask: Mask) -> Iterator[Flag]:
    if anatomy.no_liver_visible and mask.labels.any():
        message = "No slice seems to contain liver: the scan may show another body region."
        yield Flag("other_region", message, "yellow")


def _check_volume(mask: Mask, thresholds: QualityThresholds) -> Iterator[Flag]:
    measured = measure(mask)
    if not measured.volume_ml:
        message = "No liver was found: the scan shows another body region, or segmentation failed."
        yield Flag("no_liver", message, "red")
        return
    if measured.touches_border:
        faces = ", ".join(measured.touches_border)
        message = (  # as in `Measurements.warnings`, so that it is said once
            f"The liver reaches the edge of the scan ({faces}): "
            "part of it may lie outside the scan, and the volume is a lower bound."
        )
        yield Flag("touches_border", message, "yellow")
    (small, large), (least, most) = thresholds.usual_ml, thresholds.plausible_ml
    volume = f"The liver volume of {measured.volume_ml:.0f} mL is outside the"
    if measured.volume_ml > most or (measured.volume_ml < least and not measured.touches_border):
        message = (
            f"{volume} plausible range ({least:.0f} to {most:.0f} mL). "
            "Check the voxel size in the header."
        )
        yield Flag("volume_impossible", message, "red")
    elif measured.volume_ml > large or (measured.volume_ml < small and not measured.touches_border):
        message = f"{volume} usual range of adults ({small:.0f} to {large:.0f} mL)."
        yield Flag("volume_unusual", message, "yellow")


def _check_slices(mask: Mask, thresholds: QualityThresholds) -> Iterator[Flag]:
    order = mask.geometry.canonical
    spacing_mm = mask.geometry.spacing_mm[order.permutation[0]]
    filled = int(order.apply(mask.labels).any(axis=(1, 2)).sum())
    if 0 < filled < thresholds.slices:
        count = "one slice" if filled == 1 else f"{filled} slices"
        message = f"The liver is visible in only {count}: its volume is inaccurate."
        yield Flag("few_slices", message, "yellow")
    if spacing_mm > thresholds.slice_spacing_mm:
        message = f"The slice spacing of {spacing_mm:.1f} mm is larger than in the training data."
        yield Flag("thick_slices", message, "yellow")


def _check_components(mask: Mask, thresholds: QualityThresholds) -> Iterator[Flag]:
    from scipy import ndimage

    boxes = ndimage.find_objects((mask.labels > 0).astype(np.uint8))
    if not boxes:
        return
    inside = mask.labels[boxes[0]][_coarse_steps(mask.geometry)] > 0
    components, count = ndimage.label(inside, structure=np.ones((3, 3, 3)))
    sizes = np.sort(np.bincount(components.ravel(), minlength=count + 1)[1:])[::-1]
    large = int((sizes > thresholds.component_share * sizes.sum()).sum())
    if large > 1:
        message = f"The mask has {large} separate components; the liver is a single organ."
        yield Flag("multiple_components", message, "yellow")


def _check_surroundings(
    volume: Volume, mask: Mask, scale: tuple[float, float], thresholds: QualityThresholds
) -> Iterator[Flag]:
    """Flags that depend on intensities, on a coarse grid: the liver's intensity, and the body around the liver."""
    order, steps = mask.geometry.canonical, _coarse_steps(mask.geometry)
    liver = order.apply(mask.labels[steps] > 0)
    if not liver.any():
        return
    low, high = scale
    image = order.apply(volume.values[steps]).astype(np.float64)
    image = np.nan_to_num((image - low) / max(high - low, 1e-12), posinf=1.0, neginf=0.0)
    median = float(np.median(image[liver]))
    if not thresholds.intensity[0] <= median <= thresholds.intensity[1]:
        message = (
            f"The median liver intensity is {median:.2f} on the network's input scale (expected "
            f"{thresholds.intensity[0]:.2f} to {thresholds.intensity[1]:.2f}): the contrast differs from the "
            "training data."
        )
        yield Flag("intensity_unusual", message, "yellow")
    body = image > _BODY
    spacing_mm = [mask.geometry.spacing_mm[axis] * steps[axis].step for axis in order.permutation]
    yield from _check_body(liver, body, spacing_mm[2], thresholds)


def _check_body(
    liver: npt.NDArray[np.bool_],
    body: npt.NDArray[np.bool_],
    column_mm: float,
    thresholds: QualityThresholds,
) -> Iterator[Flag]:
    areas = liver.sum(axis=(1, 2))
    largest = int(areas.argmax())
    share = float(areas[largest] / max(1, (body | liver)[largest].sum()))
    least, most = thresholds.liver_share
    if share < least:
        message = (
            f"The liver covers at most {share:.1%} of the body cross-section (usually {least:.0%} or more): "
            "the scan may show another body region."
        )
        yield Flag("liver_share_low", message, "yellow")
    if share > most:
        message = (
            f"The mask covers {share:.0%} of the body cross-section (a liver covers at most {most:.0%}): "
            "the scan may show another body region, such as the head."
        )
        yield Flag("liver_share_high", message, "yellow")
    width_mm = float((body[largest].mean(axis=0) > 0.1).sum() * column_mm)
    low, high = thresholds.body_width_mm
    if not low <= width_mm <= high:
        message = (
            f"The body is {width_mm:.0f} mm wide at the level of the liver (expected {low:.0f} to {high:.0f} mm). "
            "Check the voxel size in the header."
        )
        yield Flag("body_width", message, "red" if width_mm > high else "yellow")


def _check_plausibility(share: float, thresholds: QualityThresholds) -> Iterator[Flag]:
    yellow, red = thresholds.implausible_share
    if share >= yellow:
        message = (
            f"{share:.0%} of the mask had the intensities of lung, gas, fat or bone, and was removed where it reached "
            "the border: segmentation failed in part of the scan, and the rest of the mask may be wrong as well."
        )
        yield Flag("implausible_hu", message, "red" if share >= red else "yellow")


def evidence_flags(
    evidence: MaskEvidence, thresholds: QualityThresholds = THRESHOLDS
) -> tuple[Flag, ...]:
    """The flags that the evidence in a scan alone gives to a mask."""
    return (*_check_ends(evidence, thresholds), *_check_tissue(evidence, thresholds))


def _check_ends(evidence: MaskEvidence, thresholds: QualityThresholds) -> Iterator[Flag]:
    for share, (yellow, red), plane in (
        (evidence.cut_slices, thresholds.cut_slices, "slice"),
        (evidence.cut_in_plane, thresholds.cut_in_plane, "coronal or sagittal plane"),
    ):
        if share > yellow:
            message = (
                f"The mask ends abruptly: next to its border, {share:.0%} of the area of its largest {plane} "
                "continue with the same intensity. Part of the liver may be missing."
            )
            yield Flag("abrupt_end", message, "red" if share > red else "yellow")
            return
    if evidence.edgeless > thresholds.edgeless:
        message = (
            f"{evidence.edgeless:.0%} of the border of the mask do not follow an edge in the scan: "
            "the mask may be shifted, or too small."
        )
        yield Flag("border_without_edge", message, "yellow")


def _check_tissue(evidence: MaskEvidence, thresholds: QualityThresholds) -> Iterator[Flag]:
    darker, brighter = thresholds.foreign
    if evidence.dark > darker:
        message = (
            f"{evidence.dark:.0%} of the mask is much darker than the rest: "
            "large lesions, or fluid, lung or stomach included in the mask."
        )
        yield Flag("darker_parts", message, "yellow")
    if evidence.bright > brighter:
        message = (
            f"{evidence.bright:.0%} of the mask is much brighter than the rest: "
            "large lesions, or kidney, spleen or vessels included in the mask."
        )
        yield Flag("brighter_parts", message, "yellow")
    if evidence.shape_distance > thresholds.shape_distance:
        message = "The shape of the mask differs from that of the livers in the training data."
        yield Flag("shape_unusual", message, "yellow")


def _check_agreement(dice: float | None, thresholds: QualityThresholds) -> Iterator[Flag]:
    yellow, red = thresholds.dice
    if dice is not None and dice < yellow:
        message = (
            f"The estimated Dice is {dice:.2f}: predictions at different TTA scales disagree, "
            "or the mask does not fit the scan."
        )
        yield Flag("low_estimated_dice", message, "red" if dice < red else "yellow")


def _coarse_steps(geometry: Geometry) -> tuple[slice, slice, slice]:
    i, j, k = (slice(None, None, max(1, round(_COARSE_MM / mm))) for mm in geometry.spacing_mm)
    return i, j, k
