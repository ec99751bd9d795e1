"""Selection of the series to segment among all series of a study."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rma_mamba.errors import ConfigError, RmaMambaError, ScanError
from rma_mamba.scans.dicom_pixels import pixel_hasher
from rma_mamba.scans.dicom_series import Series, SeriesInfo, modality_counts
from rma_mamba.scans.dicom_volumes import SeriesVolumes, split_volumes
from rma_mamba.scans.slice_planes import check_consistent
from rma_mamba.scans.split_series import are_parts

# Shorter series, such as bolus tracking at a single position, do not cover the liver.
_MIN_LENGTH_MM = 30.0

# Slices further apart are those of a localizer.
_MAX_SPACING_MM = 15.5

# Series within these ratios are considered equally long, or equally thin.
_LENGTH_RATIO = 0.9
_SPACING_RATIO = 1.05

# So few slices of another patient are not a second scan.
_STRAY_SLICES = 2

Rule = tuple[str, Callable[[Series, Sequence[Series]], bool]]

# Applied in this order: each rule keeps the series that satisfy it, if any do. The text is the reason that the
# list of series shows for the others.
_RULES: tuple[Rule, ...] = (
    ("too short", lambda series, _: series.length_mm >= _MIN_LENGTH_MM),
    ("slices far apart", lambda series, _: series.slice_spacing_mm <= _MAX_SPACING_MM),
    ("localizer by its description", lambda series, _: not series.is_called_localizer),
    ("derived images", lambda series, _: series.kind == "original"),
    ("not axial", lambda series, _: series.orientation == "axial"),
    ("several volumes", lambda series, _: series.volumes == 1),
    (
        "shorter than the selected series",
        lambda series, candidates: (
            series.length_mm >= _LENGTH_RATIO * max(each.length_mm for each in candidates)
        ),
    ),
    (
        "larger slice spacing",
        lambda series, candidates: (
            series.slice_spacing_mm
            <= _SPACING_RATIO * min(each.slice_spacing_mm for each in candidates)
        ),
    ),
    ("later in the list", lambda series, candidates: series is candidates[0]),
)


def select(
    series: Sequence[Series], requested: int | str | None, *, any_study: bool = False
) -> tuple[Series, tuple[str, ...]]:
    """The series to read, with a warning if it was selected from several.

    Args:
        series: All series, in the order of the list.
        requested: Number or UID of a series; None: the best according to the rules in the documentation.
        any_study: Select from several studies if they are of one patient.

    Raises:
        ConfigError: The requested series does not exist.
        ScanError: There are no slices, or scans of several studies or patients.
    """
    if requested is not None:
        found = _requested(series, requested)
        return found, _split_warning(found)
    candidates = _candidates(series)
    if len(candidates) == 1:
        return candidates[0], _split_warning(candidates[0])
    studies = len({each.study for each in candidates})
    if not _can_choose(candidates, any_study):
        raise ScanError(
            f"there are scans of {studies} studies or patients; expected one study. "
            "List them with `rma-mamba series` and select one with --series."
        )
    best, _ = _rank(candidates)
    if _is_split(best, candidates):
        raise ScanError(
            f"the slices of one scan seem to name {len(_parts(candidates))} series (SeriesInstanceUID), and differ "
            "in series number, frame of reference or spacing; expected one series. Export the scan as one series, or "
            "select a part of it with --series."
        )
    of = f" of {studies} studies" if studies > 1 else ""
    return best, (
        *_split_warning(best),
        f"{len(candidates)} series{of} can be segmented: number {best.number} in the list of `rma-mamba series` "
        f"was selected ({best.orientation or 'unknown plane'}, {best.kind}, {len(best.slices)} slices).",
    )


def describe(series: Sequence[Series], *, any_study: bool = False) -> list[SeriesInfo]:
    """All series as rows of a list; the one that `select` would return by default is marked."""
    candidates = _parallel([each for each in series if each.is_candidate])
    best, reasons = _rank(candidates) if candidates else (None, {})
    doubt = _reason_for_none(best, candidates, any_study)
    rows = []
    for each in series:
        chosen = each is best and not doubt
        if doubt and each in candidates:
            reason = doubt
        elif chosen:
            reason = "the only scan" if len(candidates) == 1 else "best match"
        else:
            reason = reasons.get(each.number) or _exclusion_reason(each)
        volumes = _volumes(each)
        rows.append(
            SeriesInfo(
                number=each.number,
                study=each.study,
                uid=each.uid,
                modality=each.modality,
                kind=each.kind,
                description=each.images[0].text("SeriesDescription"),
                images=len(each.images),
                volumes=len(volumes.volumes) or each.volumes,
                orientation=each.orientation,
                spacing_mm=each.spacing_mm,
                chosen=chosen,
                reason=reason,
                differing=volumes.differing,
                volume_labels=volumes.labels,
                protocol=each.images[0].text("ProtocolName"),
                kernel=each.images[0].texts("ConvolutionKernel"),
                contrast_agent=each.images[0].text("ContrastBolusAgent"),
            )
        )
    return rows


def _requested(series: Sequence[Series], requested: int | str) -> Series:
    text = str(requested).strip()
    for each in series:
        if text == str(each.number) or text in each.uids:
            return each
    raise ConfigError(
        f"the requested series does not exist; expected a number from 1 to {len(series)} or a "
        "SeriesInstanceUID. List the series with `rma-mamba series`."
    )


def _candidates(series: Sequence[Series]) -> list[Series]:
    """The candidates; without any, the first series with slices, so that its problem is reported."""
    with_slices = [each for each in series if each.slices]
    if not with_slices:
        images = [image for each in series for image in each.images]
        raise ScanError(
            f"there are no image slices ({len(images)} other DICOM files: {modality_counts(images)}); "
            "expected a CT or MR series. Pass the folder of the scan."
        )
    images = [image for each in with_slices for image in each.slices]
    without_series = sum(len(each.slices) for each in with_slices if not each.uid)
    if without_series and len(with_slices) > 1:
        raise ScanError(
            f"SeriesInstanceUID is missing in {without_series} of {len(images)} slices; expected it in each slice. "
            "Put the slices of each scan into a separate folder."
        )
    return _parallel([each for each in with_slices if each.is_candidate]) or with_slices[:1]


def _parallel(candidates: Sequence[Series]) -> list[Series]:
    """The candidates whose slices are parallel, if there are any: the others are localizers."""
    return [each for each in candidates if each.has_one_orientation] or list(candidates)


def _is_split(best: Series, candidates: Sequence[Series]) -> bool:
    """Whether more slices than the best series has form a stack, but name a series each, or in pairs."""
    parts = _parts(candidates)
    slices = sum(len(each.positions_mm) for each in parts)
    return slices > len(best.positions_mm) and are_parts([each.slices for each in parts])


def _parts(candidates: Sequence[Series]) -> list[Series]:
    return [each for each in candidates if len(each.positions_mm) <= 2]


def _reason_for_none(best: Series | None, candidates: Sequence[Series], any_study: bool) -> str:
    """Why no series is selected by default; "" if one is."""
    if best is None:
        return ""
    if not _can_choose(candidates, any_study):
        return "several studies: select one"
    if _is_split(best, candidates):
        return "part of a scan that names several series"
    return "" if best.has_one_orientation else "several orientations"


def _split_warning(series: Series) -> tuple[str, ...]:
    if len(series.uids) == 1:
        return ()
    return (
        f"The slices name {len(series.uids)} series (SeriesInstanceUID): they were read as one series, because study, "
        "series number, frame of reference, orientation and spacing agree.",
    )


def _volumes(series: Series) -> SeriesVolumes:
    """The volumes of a series; none if its slices cannot be read as a scan."""
    if not series.is_candidate:
        return SeriesVolumes([])
    try:
        check_consistent([image.plane for image in series.slices])
        return split_volumes(series.slices, pixel_hasher(series.slices))
    except (RmaMambaError, TypeError, ValueError):
        return SeriesVolumes([])


def _can_choose(candidates: Sequence[Series], any_study: bool) -> bool:
    """Whether candidates are of one study, or, if that is allowed, of one patient apart from a few stray slices."""
    if len({each.study for each in candidates}) <= 1:
        return True
    patients = {
        each.images[0].text("PatientID") for each in candidates if len(each.slices) > _STRAY_SLICES
    }
    return any_study and len(patients) == 1 and patients != {""}


def _rank(candidates: Sequence[Series]) -> tuple[Series, dict[int, str]]:
    """The best series, and for each of the others the rule that excluded it."""
    remaining, reasons = list(candidates), {}
    for reason, satisfied in _RULES:
        kept = [each for each in remaining if satisfied(each, remaining)] or remaining
        reasons.update({each.number: reason for each in remaining if each not in kept})
        remaining = kept
    return remaining[0], reasons


def _exclusion_reason(each: Series) -> str:
    if not each.slices:
        return "no image slices"
    if not each.has_one_orientation:
        return "several orientations"
    return "not CT or MR" if len(each.positions_mm) else "slices without position"
