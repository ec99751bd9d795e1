"""Selection of the series to segment among all series of a study."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rma_mamba.errors import ConfigError, ScanError
from rma_mamba.scans.dicom_series import Series, SeriesInfo, modality_counts

# Shorter series, such as bolus tracking at a single position, do not cover the liver.
_MIN_LENGTH_MM = 30.0

# Series within these ratios are considered equally long, or equally thin.
_LENGTH_RATIO = 0.9
_SPACING_RATIO = 1.05

Rule = tuple[str, Callable[[Series, Sequence[Series]], bool]]

# Applied in this order: each rule keeps the series that satisfy it, if any do. The text is the reason that the
# list of series shows for the others.
_RULES: tuple[Rule, ...] = (
    ("too short", lambda series, _: series.length_mm >= _MIN_LENGTH_MM),
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


def select(series: Sequence[Series], requested: int | str | None) -> tuple[Series, tuple[str, ...]]:
    """The series to read, with a warning if it was selected from several.

    Args:
        series: All series, in the order of the list.
        requested: Number or UID of a series; None: the best according to the rules in the documentation.

    Raises:
        ConfigError: The requested series does not exist.
        ScanError: There are no slices, or scans of several studies or patients.
    """
    if requested is not None:
        return _requested(series, requested), ()
    candidates = _candidates(series)
    if len(candidates) == 1:
        return candidates[0], ()
    studies = len({each.study for each in candidates})
    if studies > 1:
        raise ScanError(
            f"there are scans of {studies} studies or patients; expected one study. "
            "List them with `rma-mamba series` and select one with --series."
        )
    best, _ = _rank(candidates)
    return best, (
        f"{len(candidates)} series can be segmented: number {best.number} in the list of `rma-mamba series` "
        f"was selected ({best.orientation or 'unknown plane'}, {best.kind}, {len(best.slices)} slices).",
    )


def describe(series: Sequence[Series]) -> list[SeriesInfo]:
    """All series as rows of a list; the one that `select` would return by default is marked."""
    candidates = [each for each in series if each.is_candidate]
    best, reasons = _rank(candidates) if candidates else (None, {})
    several_studies = len({each.study for each in candidates}) > 1
    rows = []
    for each in series:
        chosen = each is best and not several_studies
        if several_studies and each.is_candidate:
            reason = "several studies: select one"
        elif chosen:
            reason = "the only scan" if len(candidates) == 1 else "best match"
        else:
            reason = reasons.get(each.number) or _exclusion_reason(each)
        rows.append(
            SeriesInfo(
                number=each.number,
                study=each.study,
                uid=each.uid,
                modality=each.modality,
                kind=each.kind,
                description=each.images[0].text("SeriesDescription"),
                images=len(each.images),
                volumes=each.volumes,
                orientation=each.orientation,
                spacing_mm=each.spacing_mm,
                chosen=chosen,
                reason=reason,
            )
        )
    return rows


def _requested(series: Sequence[Series], requested: int | str) -> Series:
    text = str(requested).strip()
    for each in series:
        if text in (each.uid, str(each.number)):
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
    return [each for each in with_slices if each.is_candidate] or with_slices[:1]


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
    return "not CT or MR" if len(each.positions_mm) else "slices without position"
