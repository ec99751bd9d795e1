"""The series of a study: what each is, and which of them is the scan to be segmented."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from rma_mamba.errors import ConfigError, ScanError
from rma_mamba.scans.dicom_image import MADE, DicomImage
from rma_mamba.scans.slice_grid import SAME_POSITION_MM

SEGMENTED = {"CT", "MR", ""}

# Cosine of the angle (about 25 degrees) up to which a tilted scan still goes by the name of its plane.
_SAME_PLANE = 0.9
_PLANES = ("sagittal", "coronal", "axial")

# A few images at one place (contrast timing) are no scan of the liver.
_SHORTEST_MM = 30.0

# Two scans of about the same length or slice distance are equally good in that.
_AS_LONG = 0.9
_AS_THIN = 1.05


@dataclass(frozen=True)
class SeriesInfo:
    """A series as it is listed.

    Args:
        number: Its place in the list, from 1: what `series=` and `--series` take.
        study: Number of its study, from 1.
        uid: SeriesInstanceUID.
        modality: "CT", "MR", "SEG", ...
        kind: "original", "derived" (reformatted, computed), "localizer", "picture", or "object" (a
            mask, a dose, a report).
        description: SeriesDescription, the operator's own words: they may name a person.
        images: Number of images, or files without one.
        volumes: Images at one place (phases, echoes, b-values): more than one needs a choice of `frame`.
        orientation: "axial", "coronal", "sagittal", "oblique", or "" if unknown.
        spacing_mm: Between columns, rows and slices, where known.
        chosen: Whether it is the one that is read if none is named.
        reason: Why, or why not.
    """

    number: int
    study: int
    uid: str
    modality: str
    kind: str
    description: str
    images: int
    volumes: int
    orientation: str
    spacing_mm: tuple[float, float, float] | None
    chosen: bool
    reason: str


@dataclass(frozen=True, eq=False)
class Series:
    """Files and frames under one SeriesInstanceUID."""

    number: int
    study: int
    uid: str
    images: list[DicomImage] = field(repr=False)

    @cached_property
    def slices(self) -> list[DicomImage]:
        """The images of the patient, without localizers and what else lies beside them."""
        return [image for image in self.images if image.is_slice]

    @cached_property
    def modality(self) -> str:
        """The most frequent one."""
        return Counter(image.modality for image in self.slices or self.images).most_common(1)[0][0]

    @cached_property
    def kind(self) -> str:
        """Of what kind it is, as `SeriesInfo` names it."""
        if self.slices:
            derived = sum(image.image_type[:1] == ("DERIVED",) for image in self.slices)
            return "derived" if 2 * derived > len(self.slices) else "original"
        if any(image.is_localizer for image in self.images):
            return "localizer"
        picture = any(image.has_pixels for image in self.images) and self.modality not in MADE
        return "picture" if picture else "object"

    @cached_property
    def normal(self) -> npt.NDArray[np.float64] | None:
        """Unit vector across the slices, of the first that says it."""
        given = (image.numbers("ImageOrientationPatient", 6) for image in self.slices)
        axes = next((np.array(found).reshape(2, 3) for found in given if found), None)
        if axes is None:
            return None
        normal = np.cross(axes[0], axes[1])
        length = float(np.linalg.norm(normal))
        return normal / length if length > 0 else None

    @cached_property
    def orientation(self) -> str:
        """The body plane in which the slices lie."""
        if self.normal is None:
            return ""
        axis = int(np.abs(self.normal).argmax())
        return _PLANES[axis] if abs(self.normal[axis]) >= _SAME_PLANE else "oblique"

    @cached_property
    def heights(self) -> npt.NDArray[np.float64]:
        """Where there are slices along their normal, in mm, each place once."""
        if self.normal is None:
            return np.zeros(0)
        placed = [place for image in self.slices if (place := image.place)]
        along = np.sort(np.array(placed).reshape(-1, 3) @ self.normal)
        return along[np.diff(along, prepend=-np.inf) >= SAME_POSITION_MM]

    @cached_property
    def step_mm(self) -> float:
        """The usual distance between slices; 0 if there is one."""
        return float(np.median(np.diff(self.heights))) if len(self.heights) > 1 else 0.0

    @cached_property
    def length_mm(self) -> float:
        """From the first slice to the last."""
        return float(np.ptp(self.heights)) + self.step_mm if len(self.heights) else 0.0

    @cached_property
    def volumes(self) -> int:
        """Number of images at the usual place."""
        return round(len(self.slices) / len(self.heights)) if len(self.heights) else 1

    @property
    def spacing_mm(self) -> tuple[float, float, float] | None:
        """Between columns, rows and slices."""
        between = self.slices[0].numbers("PixelSpacing", 2) if self.slices else None
        return (between[1], between[0], self.step_mm) if between else None

    @property
    def qualifies(self) -> bool:
        """Whether it is CT or MR, with slices that know their place."""
        known = {image.modality for image in self.slices} <= SEGMENTED
        return bool(self.slices) and known and len(self.heights) > 0


Rule = tuple[str, Callable[[Series, Sequence[Series]], bool]]

# In this order: each keeps the better ones, if there are any. The words are the reason against the others.
_RULES: tuple[Rule, ...] = (
    ("covers too little", lambda one, _: one.length_mm >= _SHORTEST_MM),
    ("derived from another one", lambda one, _: one.kind == "original"),
    ("not axial", lambda one, _: one.orientation == "axial"),
    ("several volumes at one place", lambda one, _: one.volumes == 1),
    ("shorter", lambda one, all_: one.length_mm >= _AS_LONG * max(s.length_mm for s in all_)),
    ("thicker slices", lambda one, all_: one.step_mm <= _AS_THIN * min(s.step_mm for s in all_)),
    ("listed later", lambda one, all_: one is all_[0]),
)


def group(images: Sequence[DicomImage]) -> list[Series]:
    """The series of all images, by study and by their number in it."""
    found: dict[tuple[str, ...], list[DicomImage]] = {}
    for image in images:
        key = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID")
        found.setdefault(tuple(image.text(keyword) for keyword in key), []).append(image)
    studies = {study: number for number, study in enumerate(sorted({key[:2] for key in found}), 1)}

    def place(key: tuple[str, ...]) -> tuple[int, int, str]:
        return studies[key[:2]], found[key][0].integer("SeriesNumber"), key[2]

    return [
        Series(number, studies[key[:2]], key[2], found[key])
        for number, key in enumerate(sorted(found, key=place), start=1)
    ]


def choose(series: Sequence[Series], wanted: int | str | None) -> tuple[Series, tuple[str, ...]]:
    """The series to be read, with a sentence on the choice if there was one.

    Args:
        series: All of them, as listed.
        wanted: The number or the UID of one; None: the best by the rules in docs/reference/inputs.md.

    Raises:
        ConfigError: There is none with this number or UID.
        ScanError: There are no slices, or scans of several studies or patients.
    """
    if wanted is not None:
        return _named(series, wanted), ()
    candidates = _candidates(series)
    if len(candidates) == 1:
        return candidates[0], ()
    studies = len({one.study for one in candidates})
    if studies > 1:
        raise ScanError(
            f"there are scans of {studies} studies or patients; expected one study. "
            "List them with `rma-mamba series` and choose with --series."
        )
    best, _ = _ranked(candidates)
    return best, (
        f"{len(candidates)} series could be segmented: number {best.number} in the list of `rma-mamba series` "
        f"was chosen ({best.orientation or 'plane unknown'}, {best.kind}, {len(best.slices)} slices).",
    )


def describe(series: Sequence[Series]) -> list[SeriesInfo]:
    """All series as they are listed, with the one that `choose` would take."""
    candidates = [one for one in series if one.qualifies]
    best, reasons = _ranked(candidates) if candidates else (None, {})
    several = len({one.study for one in candidates}) > 1
    found = []
    for one in series:
        chosen = one is best and not several
        if several and one.qualifies:
            reason = "several studies: choose one"
        elif chosen:
            reason = "the only scan" if len(candidates) == 1 else "the best by the rules"
        else:
            reason = reasons.get(one.number) or _why_not(one)
        found.append(
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
    return found


def modalities(images: Sequence[DicomImage]) -> str:
    """How many images there are of each modality; anything but a code of letters is not shown."""
    names = [image.modality for image in images]
    kinds = Counter(name if name.isalpha() and len(name) <= 16 else "unnamed" for name in names)
    return ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))


def _named(series: Sequence[Series], wanted: int | str) -> Series:
    text = str(wanted).strip()
    for one in series:
        if text in (one.uid, str(one.number)):
            return one
    raise ConfigError(
        f"there is no such series; expected a number from 1 to {len(series)} or a SeriesInstanceUID. "
        "List them with `rma-mamba series`."
    )


def _candidates(series: Sequence[Series]) -> list[Series]:
    """The series that qualify; if none does, one that has slices, so that its fault is told."""
    sliced = [one for one in series if one.slices]
    if not sliced:
        images = [image for one in series for image in one.images]
        raise ScanError(
            f"there are no slices of a scan ({len(images)} other DICOM files: {modalities(images)}); "
            "expected a CT or MR series. Give the folder of the scan itself."
        )
    lacking = sum(len(one.slices) for one in sliced if not one.uid)
    if lacking and len(sliced) > 1:
        raise ScanError(
            f"{lacking} slices name no series while others beside them do; expected it of each. "
            "Put the slices of one scan into a folder of their own."
        )
    return [one for one in sliced if one.qualifies] or sliced[:1]


def _ranked(candidates: Sequence[Series]) -> tuple[Series, dict[int, str]]:
    """The best, and for each other one the rule by which it lost."""
    left, reasons = list(candidates), {}
    for words, better in _RULES:
        kept = [one for one in left if better(one, left)] or left
        reasons.update({one.number: words for one in left if one not in kept})
        left = kept
    return left[0], reasons


def _why_not(one: Series) -> str:
    if not one.slices:
        return "no slices of a scan"
    return "not CT or MR" if len(one.heights) else "the slices do not know their place"
