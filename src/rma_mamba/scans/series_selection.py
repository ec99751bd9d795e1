"""Selection of the series to segment among all series of a study."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rma_mamba.errors import ConfigError, ScanError
from rma_mamba.scans.dicom_series import Series, SeriesInfo, modality_counts

# Fewer images at one position (contrast timing) are not a scan of the liver.
_MIN_LENGTH_MM = 30.0

# Series within these ratios are considered equally long, or equally thin.
_LENGTH_RATIO = 0.9
_SPACING_RATIO = 1.05

Rule = tuple[str, Callable[[Series, Sequence[Series]], bool]]

# Applied in this order: each rule keeps the series that satisfy it, if any do. The text is the reason that the
# list of series shows for the others.
_RULES: tuple[Rule, ...] = (
    ("too short", lambda one, _: one.length_mm >= _MIN_LENGTH_MM),
    ("derived images", lambda one, _: one.kind == "original"),
    ("not axial", lambda one, _: one.orientation == "axial"),
    ("several volumes", lambda one, _: one.volumes == 1),
    (
        "shorter than the selected series",
        lambda one, all_: one.length_mm >= _LENGTH_RATIO * max(s.length_mm for s in all_),
    ),
    (
        "larger slice spacing",
        lambda one, all_: (
            one.slice_spacing_mm <= _SPACING_RATIO * min(s.slice_spacing_mm for s in all_)
        ),
    ),
    ("later in the list", lambda one, all_: one is all_[0]),
)


def select(series: Sequence[Series], requested: int | str | None) -> tuple[Series, tuple[str, ...]]:
    """The series to read, with a warning if it was selected among several.

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
    studies = len({one.study for one in candidates})
    if studies > 1:
        raise ScanError(
            f"there are scans of {studies} studies or patients; expected one study. "
            "List them with `rma-mamba series` and select one with --series."
        )
    best, _ = _ranked(candidates)
    return best, (
        f"{len(candidates)} series can be segmented: number {best.number} in the list of `rma-mamba series` "
        f"was selected ({best.orientation or 'unknown plane'}, {best.kind}, {len(best.slices)} slices).",
    )


def describe(series: Sequence[Series]) -> list[SeriesInfo]:
    """All series as list rows; the series that `select` would take by default is marked."""
    candidates = [one for one in series if one.is_candidate]
    best, reasons = _ranked(candidates) if candidates else (None, {})
    several_studies = len({one.study for one in candidates}) > 1
    rows = []
    for one in series:
        chosen = one is best and not several_studies
        if several_studies and one.is_candidate:
            reason = "several studies: select one"
        elif chosen:
            reason = "the only scan" if len(candidates) == 1 else "best match"
        else:
            reason = reasons.get(one.number) or _exclusion_reason(one)
        rows.append(
            SeriesInfo(
                number=one.number,
                study=one.study,
                uid=one.uid,
                modality=one.modality,
                kind=one.kind,
                description=one.images[0].text("SeriesDescription"),
                images=len(one.images),
                volumes=one.volumes,
                orientation=one.orientation,
                spacing_mm=one.spacing_mm,
                chosen=chosen,
                reason=reason,
            )
        )
    return rows


def _requested(series: Sequence[Series], requested: int | str) -> Series:
    text = str(requested).strip()
    for one in series:
        if text in (one.uid, str(one.number)):
            return one
    raise ConfigError(
        f"the requested series does not exist; expected a number from 1 to {len(series)} or a "
        "SeriesInstanceUID. List the series with `rma-mamba series`."
    )


def _candidates(series: Sequence[Series]) -> list[Series]:
    """The candidates; without any, the first series with slices, so that its problem is reported."""
    with_slices = [one for one in series if one.slices]
    if not with_slices:
        images = [image for one in series for image in one.images]
        raise ScanError(
            f"there are no slices of a scan ({len(images)} other DICOM files: {modality_counts(images)}); "
            "expected a CT or MR series. Pass the folder of the scan."
        )
    images = [image for one in with_slices for image in one.slices]
    without_series = sum(len(one.slices) for one in with_slices if not one.uid)
    if without_series and len(with_slices) > 1:
        raise ScanError(
            f"SeriesInstanceUID is missing in {without_series} of {len(images)} slices; expected it in each slice. "
            "Put the slices of each scan into a separate folder."
        )
    return [one for one in with_slices if one.is_candidate] or with_slices[:1]


def _ranked(candidates: Sequence[Series]) -> tuple[Series, dict[int, str]]:
    """The best series, and for each of the others the rule that excluded it."""
    remaining, reasons = list(candidates), {}
    for reason, satisfied in _RULES:
        kept = [one for one in remaining if satisfied(one, remaining)] or remaining
        reasons.update({one.number: reason for one in remaining if one not in kept})
        remaining = kept
    return remaining[0], reasons


def _exclusion_reason(one: Series) -> str:
    if not one.slices:
        return "no slices of a scan"
    return "not CT or MR" if len(one.positions_mm) else "slices without position"
