"""The series of a study and their properties: modality, orientation, spacing, number of volumes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from rma_mamba.scans.dicom_image import DERIVED_OBJECTS, DicomImage
from rma_mamba.scans.slice_planes import DIRECTION_TOLERANCE, SAME_POSITION_MM, count_distinct
from rma_mamba.scans.split_series import put_together

# Modalities that can be segmented; "" is a missing Modality element.
SUPPORTED_MODALITIES = {"CT", "MR", ""}

# Cosine of the largest angle (about 25 degrees) between a slice normal and the axis of its anatomical plane.
_MIN_PLANE_COSINE = 0.9
_LOCALIZER = re.compile(
    r"locali[sz]er|scout|survey|surview|topogram|scanogram|\b(3|three|tri)[ _-]?pl(ane)?\b",
    re.IGNORECASE,
)
_PLANES = ("sagittal", "coronal", "axial")


@dataclass(frozen=True)
class SeriesInfo:
    """One row of the list of series.

    Args:
        number: Number in the list, counted from 1: the value of `series=` and `--series`.
        study: Number of the study, counted from 1.
        uid: SeriesInstanceUID.
        modality: "CT", "MR", "SEG", ...
        kind: "original", "derived" (reformatted, computed), "localizer", "image" (screenshot, other modality),
            or "object" (segmentation, dose, report).
        description: SeriesDescription, free text that may contain a patient's name.
        images: Number of images; for objects without images, the number of files.
        volumes: Number of images per position (phases, echoes, b-values); if more than one, `volume` is required.
        orientation: "axial", "coronal", "sagittal", "oblique", or "" if unknown.
        spacing_mm: Between columns, rows and slices; None if unknown.
        chosen: Whether this series is read by default.
        reason: Why it was or was not chosen.
        differing: The elements in which the volumes differ ("echo time"); "" if there is one volume.
        volume_labels: For each volume, in the order of `--volume`, what distinguishes it ("echo time 2.3 ms");
            empty if there is one.
        protocol: ProtocolName, free text.
        kernel: ConvolutionKernel of a CT.
        contrast_agent: ContrastBolusAgent, free text; "" without contrast agent, or if unknown.
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
    differing: str = ""
    volume_labels: tuple[str, ...] = ()
    protocol: str = ""
    kernel: str = ""
    contrast_agent: str = ""

    @property
    def is_scan(self) -> bool:
        """Whether it consists of CT or MR slices, so that it may be chosen."""
        is_supported = self.modality in SUPPORTED_MODALITIES and self.spacing_mm is not None
        return is_supported and self.kind in ("original", "derived")


@dataclass(frozen=True, eq=False)
class Series:
    """The images with one SeriesInstanceUID, or the slices of one stack that each have their own."""

    number: int
    study: int
    uid: str
    images: list[DicomImage] = field(repr=False)

    @cached_property
    def uids(self) -> set[str]:
        """The SeriesInstanceUID of every image."""
        return {image.text("SeriesInstanceUID") for image in self.images}

    @cached_property
    def slices(self) -> list[DicomImage]:
        """The slices of a scan, without localizers and other images."""
        return [image for image in self.images if image.is_slice]

    @cached_property
    def modality(self) -> str:
        """The most frequent modality."""
        return Counter(image.modality for image in self.slices or self.images).most_common(1)[0][0]

    @cached_property
    def kind(self) -> str:
        """As in `SeriesInfo.kind`."""
        if self.slices:
            derived = sum(image.image_type[:1] == ("DERIVED",) for image in self.slices)
            return "derived" if 2 * derived > len(self.slices) else "original"
        if any(image.is_localizer for image in self.images):
            return "localizer"
        has_pixels = any(image.has_pixels for image in self.images)
        return "image" if has_pixels and self.modality not in DERIVED_OBJECTS else "object"

    @cached_property
    def normal(self) -> npt.NDArray[np.float64] | None:
        """Unit normal of the slices, from the first slice with an orientation."""
        orientations = (image.numbers("ImageOrientationPatient", 6) for image in self.slices)
        first = next((orientation for orientation in orientations if orientation), None)
        if first is None:
            return None
        normal = np.cross(first[:3], first[3:])
        length = float(np.linalg.norm(normal))
        return normal / length if length > 0 else None

    @cached_property
    def orientation(self) -> str:
        """The anatomical plane of the slices."""
        if self.normal is None:
            return ""
        axis = int(np.abs(self.normal).argmax())
        return _PLANES[axis] if abs(self.normal[axis]) >= _MIN_PLANE_COSINE else "oblique"

    @cached_property
    def has_one_orientation(self) -> bool:
        """Whether the slices are parallel; those of a localizer usually are not."""
        orientations = (image.numbers("ImageOrientationPatient", 6) for image in self.slices)
        found = [orientation for orientation in orientations if orientation]
        return not found or count_distinct(found, DIRECTION_TOLERANCE) == 1

    @cached_property
    def is_called_localizer(self) -> bool:
        """Whether the description calls it a localizer; the image type of MR localizers often does not."""
        return any(_LOCALIZER.search(image.text("SeriesDescription")) for image in self.images[:1])

    @cached_property
    def positions_mm(self) -> npt.NDArray[np.float64]:
        """Distinct slice positions along the normal, in mm."""
        if self.normal is None:
            return np.zeros(0)
        positions = [position for image in self.slices if (position := image.position)]
        along = np.sort(np.array(positions).reshape(-1, 3) @ self.normal)
        return along[np.diff(along, prepend=-np.inf) >= SAME_POSITION_MM]

    @cached_property
    def slice_spacing_mm(self) -> float:
        """Median distance between slices; 0 for a single slice."""
        return float(np.median(np.diff(self.positions_mm))) if len(self.positions_mm) > 1 else 0.0

    @cached_property
    def length_mm(self) -> float:
        """Length of the scan along the normal."""
        if not len(self.positions_mm):
            return 0.0
        return float(np.ptp(self.positions_mm)) + self.slice_spacing_mm

    @cached_property
    def volumes(self) -> int:
        """Number of images per position."""
        return round(len(self.slices) / len(self.positions_mm)) if len(self.positions_mm) else 1

    @property
    def spacing_mm(self) -> tuple[float, float, float] | None:
        """Between columns, rows and slices."""
        pixel_spacing = self.slices[0].numbers("PixelSpacing", 2) if self.slices else None
        if not pixel_spacing:
            return None
        return pixel_spacing[1], pixel_spacing[0], self.slice_spacing_mm

    @property
    def is_candidate(self) -> bool:
        """Whether it is CT or MR and its slices have positions."""
        supported = {image.modality for image in self.slices} <= SUPPORTED_MODALITIES
        return bool(self.slices) and supported and len(self.positions_mm) > 0


def group_by_series(images: Sequence[DicomImage]) -> list[Series]:
    """The series of all images, sorted by study and series number."""
    images_of: dict[tuple[str, ...], list[DicomImage]] = {}
    for image in images:
        keywords = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID")
        images_of.setdefault(tuple(image.text(word) for word in keywords), []).append(image)
    images_of = put_together(images_of)
    studies = {
        study: number for number, study in enumerate(sorted({key[:2] for key in images_of}), 1)
    }

    def order(key: tuple[str, ...]) -> tuple[int, int, str]:
        return studies[key[:2]], images_of[key][0].integer("SeriesNumber"), key[2]

    return [
        Series(number, studies[key[:2]], key[2], images_of[key])
        for number, key in enumerate(sorted(images_of, key=order), start=1)
    ]


def modality_counts(images: Sequence[DicomImage]) -> str:
    """Number of images per modality, as text; an invalid Modality is not quoted."""
    names = [image.modality for image in images]
    valid = Counter(
        name if name.isalpha() and len(name) <= 16 else "of unknown modality" for name in names
    )
    return ", ".join(f"{count} {name}" for name, count in sorted(valid.items()))
