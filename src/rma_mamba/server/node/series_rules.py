"""Rules that choose which series of a study are segmented."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from rma_mamba.datasets.settings import Settings
from rma_mamba.scans.dicom_series import SeriesInfo

Phase = Literal["native", "arterial", "portal_venous", "delayed", "hepatobiliary"]

# What descriptions and protocols of several languages call a phase; the first that matches is the phase of the series.
_PHASES: tuple[tuple[Phase, str], ...] = (
    ("hepatobiliary", r"hepato-?biliar|\bhbp\b|\bhep(at)?\b|\b(15|20) ?min"),
    (
        "native",
        r"nati[vf]|non-?contrast|un-?enhanced|without (contrast|c\b)|\bw/?o\b|\bplain\b|\bpre\b|ohne km|"
        r"sans (iv|injection|contraste)|sin contraste|\bmask\b|\bbasal",
    ),
    ("portal_venous", r"port(al|o|ov)|\bpv(p|i)?\b|ven(ous|oes|ös|oso|oza|eu[sx])|\bven\b|\b(6\d|7\d|8\d) ?s(ec)?\b"),
    ("arterial", r"art[eé]r|\bart\b|\b[elh]?ap\b|\b(2\d|3\d|4\d) ?s(ec)?\b"),
    ("delayed", r"delay|\blate\b|sp[aä]t|tard[ií]|equilib|excret|\b(3|5|10) ?min"),
)  # fmt: skip
_FLAGS = re.IGNORECASE


def _check_pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"'{text}' is not a regular expression ({error.msg})") from None
    return text


Pattern = Annotated[str, AfterValidator(_check_pattern)]


class SeriesRule(Settings):
    """What a series must be like. A series matches if it satisfies every setting that the rule has."""

    name: str = Field(default="", max_length=64)
    """Name of the rule, for the log."""

    modality: Literal["CT", "MR"] | None = None
    """Modality. None: either."""

    description: Pattern | None = None
    """Regular expression that is searched for in the series description and in the protocol name; upper and lower
    case are the same."""

    exclude: Pattern | None = None
    """Regular expression that neither of the two may contain."""

    phase: Phase | None = None
    """Contrast phase, as far as description and protocol name state it in words, abbreviations or seconds."""

    kernel: Pattern | None = None
    """Regular expression that is searched for in the convolution kernel (CT)."""

    orientation: Literal["axial", "coronal", "sagittal", "oblique"] | None = None
    """Plane of the slices."""

    min_images: int = Field(default=1, ge=1)
    """Least number of images."""

    max_slice_spacing_mm: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Largest distance between slices."""

    take: Literal["best", "all"] = "best"
    """Segment the best of the matching series, in the order of `rma-mamba series`, or all of them."""

    volume: int | None = Field(default=None, ge=1)
    """Number of the volume to segment in a series of several (echoes, phases, b-values)."""

    def matches(self, series: SeriesInfo) -> bool:
        """Whether a series satisfies every setting."""
        text = f"{series.description}\n{series.protocol}"
        spacing = series.spacing_mm[2] if series.spacing_mm else 0.0
        return all(
            (
                series.kind in ("original", "derived"),
                self.modality in (None, series.modality),
                self.description is None or _contains(text, self.description),
                self.exclude is None or not _contains(text, self.exclude),
                self.phase is None or self.phase == phase_of(series),
                self.kernel is None or _contains(series.kernel, self.kernel),
                self.orientation in (None, series.orientation),
                series.images >= self.min_images,
                self.max_slice_spacing_mm is None or spacing <= self.max_slice_spacing_mm,
            )
        )


def phase_of(series: SeriesInfo) -> Phase | None:
    """The contrast phase that the description states, else the protocol name; None if neither does."""
    for text in (series.description, series.protocol):
        plain = text.replace("_", " ")  # a word character in regular expressions
        for phase, pattern in _PHASES:
            if _contains(plain, pattern):
                return phase
    return None


def matching_rule(
    rules: Sequence[SeriesRule], series: Sequence[SeriesInfo]
) -> tuple[SeriesRule, list[SeriesInfo]] | None:
    """The first rule that any series matches, with these series; None if no series matches any rule."""
    for rule in rules:
        if found := [each for each in series if rule.matches(each)]:
            return rule, found
    return None


def _contains(text: str, pattern: str) -> bool:
    return re.search(pattern, text, _FLAGS) is not None
