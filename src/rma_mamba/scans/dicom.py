"""A folder that holds one DICOM series of CT or MR slices; the only place where pydicom is imported."""

from __future__ import annotations

import logging
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import (
    UID,
    CTImageStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MediaStorageDirectoryStorage,
    MRImageStorage,
    SecondaryCaptureImageStorage,
)

from rma_mamba.errors import ScanError
from rma_mamba.scans.checks import doubts
from rma_mamba.scans.lean import lean_values
from rma_mamba.scans.stack import Plane, stack
from rma_mamba.volume import Geometry, Modality, Volume

# Read of each file at first: what tells slices from the rest and places them, and nothing of the patient.
_TAGS = [
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "FrameOfReferenceUID",
    "Modality",
    "ImageType",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "BitsStored",
    "PixelRepresentation",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "SliceThickness",
    "SpacingBetweenSlices",
    "RescaleSlope",
    "RescaleIntercept",
]

# A file without the 128-byte preamble begins with an element of group 0002 or 0008.
_FIRST_GROUPS = (b"\x02\x00", b"\x08\x00")

_PLACE = {"ImagePositionPatient": 3, "ImageOrientationPatient": 6, "PixelSpacing": 2}

# No number that is read here comes near it, in whatever unit; NaN and infinity do not stay below it.
_LARGEST = 1e9

_DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")

# They have pixels on a grid, but are made from a scan.
_DERIVED = ("SEG", "RTDOSE")

# What all slices of one scan share; a slice that lacks it while others have it is from elsewhere.
_ONE_OF_EACH = {
    "StudyInstanceUID": "studies",
    "SeriesInstanceUID": "series",
    "FrameOfReferenceUID": "frames of reference",
}

_MODALITY_OF_CLASS = {CTImageStorage: "CT", MRImageStorage: "MR"}


@dataclass(frozen=True)
class _File:
    """A DICOM file, by its path and the few elements of it that `_TAGS` names."""

    path: Path
    header: pydicom.Dataset

    def value(self, keyword: str) -> Any:
        """An element as pydicom decodes it, None where it is missing or cannot be decoded."""
        try:
            return self.header.get(keyword)
        except Exception:  # decoding is lazy, and damaged bytes raise exceptions of any type
            return None

    def text(self, keyword: str) -> str:
        """A text element, "" where it is missing."""
        return str(self.value(keyword) or "").strip()

    def numbers(self, keyword: str, count: int = 1) -> tuple[float, ...] | None:
        """`count` numbers of a sensible size, or None where the element has no such content."""
        try:
            value = self.value(keyword)
            values = tuple(float(part) for part in (value if count > 1 else [value]))
        except (TypeError, ValueError, OverflowError):
            return None
        good = len(values) == count and all(abs(number) < _LARGEST for number in values)
        return values if good else None

    def integer(self, keyword: str) -> int:
        """A whole number, 0 where it is missing."""
        number = self.numbers(keyword)
        return int(number[0]) if number else 0

    @property
    def modality(self) -> str:
        """Modality, else what the SOP class says, else ""."""
        return self.text("Modality") or _MODALITY_OF_CLASS.get(UID(self.text("SOPClassUID")), "")

    @property
    def has_pixels(self) -> bool:
        """Whether the file gives the size of an image."""
        return self.integer("Rows") > 0 and self.integer("Columns") > 0

    @property
    def is_no_image(self) -> bool:
        """Whether it is no fault that the file holds no image: a report, a plan, raw data.

        A slice cut off within its header must not pass for one of these: the volume would lose it.
        """
        modality, sop_class = self.text("Modality"), self.text("SOPClassUID")
        slice_like = sop_class in _MODALITY_OF_CLASS or (not sop_class and modality in ("CT", "MR"))
        return modality != "" and not slice_like

    @property
    def is_slice(self) -> bool:
        """Whether this is an image of the patient that belongs to a scan, not to what lies beside it."""
        placed = "ImagePositionPatient" in self.header
        picture = self.text("SOPClassUID") == SecondaryCaptureImageStorage and not placed
        localizer = "LOCALIZER" in self.text("ImageType").upper()
        scan = self.modality in ("CT", "MR", "") or placed
        return self.has_pixels and scan and not (picture or localizer or self.modality in _DERIVED)

    @property
    def plane(self) -> Plane:
        """Where the slice lies; its elements have been checked to exist."""
        place = [self.numbers(keyword, count) for keyword, count in _PLACE.items()]
        position, directions, spacing = cast("list[tuple[float, ...]]", place)
        size = self.integer("Rows"), self.integer("Columns")
        given = [self.numbers(keyword) for keyword in ("SpacingBetweenSlices", "SliceThickness")]
        thickness = next((number[0] for number in given if number and number[0] > 0), None)
        return Plane(position, directions, spacing, size, thickness)


def read(folder: Path) -> Volume:
    """Read the one series of CT or MR slices in a folder (not in its subfolders).

    Files that are not DICOM are passed over; localizers, segmentations, reports and the like too, with
    a warning. CT comes in HU. Axes are (i column, j row, k slice along the slices' normal).

    Raises:
        ScanError: There is no series, more than one, or it is not one complete, regular, decodable stack.
        GridError: The slices' directions or spacing are impossible.
    """
    with _quiet():
        slices, geometry, notes = _series(folder)
        values, repairs = _values(slices)
    name = slices[0].modality
    modality = cast("Modality", name) if name in ("CT", "MR") else None
    notes = (*notes, *repairs, *doubts(values, geometry))
    return Volume(values, geometry, modality, warnings=notes)


def read_geometry(folder: Path) -> tuple[Geometry, list[Path]]:
    """The grid of the one series in a folder, and the file of each slice k; pixels are not read.

    Raises:
        ScanError, GridError: As of `read`, but for what only the pixels show.
    """
    with _quiet():
        slices, geometry, _ = _series(folder)
    return geometry, [file.path for file in slices]


def _series(folder: Path) -> tuple[list[_File], Geometry, tuple[str, ...]]:
    """The slices of a folder's one series in order, their grid, and what was passed over."""
    files, strangers = _dicom_files(folder)
    slices = [file for file in files if file.is_slice]
    ignored = _ignored(len(files) - len(slices))
    _check_series(files, slices)
    slices, copies = _without_copies(slices)
    _check_slices(slices)
    order, geometry = stack([file.plane for file in slices])
    return [slices[index] for index in order], geometry, (*_strange(strangers), *ignored, *copies)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep pydicom's remarks from the user: they quote elements, patient's names included."""
    logger = logging.getLogger("pydicom")
    level = logger.level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logger.setLevel(logging.CRITICAL + 1)
        try:
            yield
        finally:
            logger.setLevel(level)


def _dicom_files(folder: Path) -> tuple[list[_File], int]:
    """The DICOM files of a folder, by name, and how many others that may have been slices are beside them."""
    entries = sorted(folder.iterdir())
    paths = [path for path in entries if path.is_file()]
    files, damaged, strangers = [], 0, 0
    for path in paths:
        file, is_dicom = _open(path)
        # an empty file, or one named as slices are: a slice at the end of a series would be lost unseen
        is_dicom |= path.suffix.lower() in _DICOM_SUFFIXES
        damaged += is_dicom and file is None and path.name != "DICOMDIR"
        strangers += not is_dicom and path.suffix == "" and path.name != "DICOMDIR"
        files += [file] if file else []
    if damaged:
        raise ScanError(
            f"{damaged} DICOM file{'s' if damaged > 1 else ''} of the folder cannot be read (cut off or "
            "damaged); expected a complete series. Export or copy the whole series again."
        )
    if not files:
        found = "is empty" if not entries else "holds no DICOM images"
        advice = "Give the folder that holds the files of one series."
        if any(path.is_dir() for path in entries):
            advice = "Give the one of its subfolders that holds the files of one series."
        raise ScanError(f"the folder {found}; expected the files of one DICOM series. {advice}")
    return files, strangers


def _open(path: Path) -> tuple[_File | None, bool]:
    """The file's header if it is readable DICOM, and whether it claims to be DICOM at all."""
    with path.open("rb") as stream:
        head = stream.read(132)
    claims = head[128:] == b"DICM"
    if not claims and head[:2] not in _FIRST_GROUPS:
        return None, False
    try:
        header = pydicom.dcmread(
            path, stop_before_pixels=True, force=True, specific_tags=list(_TAGS)
        )
        file = _File(path, header)
        if (
            header.get("file_meta", {}).get("MediaStorageSOPClassUID")
            == MediaStorageDirectoryStorage
        ):
            return None, False
        readable = file.has_pixels or (claims and file.is_no_image)
    except (MemoryError, OSError):
        raise
    except Exception:  # pydicom meets damaged bytes with exceptions of any type
        return None, claims
    return (file if readable else None), claims


def _strange(count: int) -> tuple[str, ...]:
    if not count:
        return ()
    found = "1 file without ending is" if count == 1 else f"{count} files without ending are"
    return (f"{found} no DICOM: if it was a slice, the mask is not complete.",)


def _ignored(count: int) -> tuple[str, ...]:
    if not count:
        return ()
    found = (
        "1 DICOM file that is no slice was"
        if count == 1
        else f"{count} DICOM files that are no slices were"
    )
    return (f"{found} passed over (localizers, reports, masks).",)


def _check_series(files: Sequence[_File], slices: Sequence[_File]) -> None:
    """There are slices, they belong to one series, and it is CT or MR."""
    if not slices:
        found = _modalities(files)
        raise ScanError(
            f"the folder holds no slices of a scan ({len(files)} other DICOM files: {found}); expected a "
            "CT or MR series. Give the folder of the scan itself."
        )
    kinds = {file.modality for file in slices}
    found = _modalities(slices)
    counts = {
        name: len({file.text(keyword) for file in slices}) for keyword, name in _ONE_OF_EACH.items()
    }
    many = next((name for name, count in counts.items() if count > 1), None)
    if many or len(kinds) > 1:
        count = f"{counts[many]} {many}" if many else "several modalities"
        raise ScanError(
            f"the folder holds {count} (slices: {found}); expected one series. "
            "Put the series to be segmented into a folder of its own."
        )
    if not kinds <= {"CT", "MR", ""}:
        raise ScanError(
            f"the series is of another kind (slices: {found}); expected CT or MR. Give a CT or MR series."
        )


def _modalities(files: Sequence[_File]) -> str:
    """How many files there are of each modality; anything but a code of letters is not shown."""
    names = [file.modality for file in files]
    kinds = Counter(name if name.isalpha() and len(name) <= 16 else "unnamed" for name in names)
    return ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))


def _without_copies(slices: Sequence[_File]) -> tuple[list[_File], tuple[str, ...]]:
    """The slices without files that are, byte for byte, a copy of another one."""
    kept: dict[tuple[object, ...], list[_File]] = {}
    unique = []
    for file in slices:
        # read whole only where another slice lies at the same place
        twins = kept.setdefault(
            (file.numbers("ImagePositionPatient", 3), file.path.stat().st_size), []
        )
        content = file.path.read_bytes() if twins else b""
        if any(twin.path.read_bytes() == content for twin in twins):
            continue
        unique.append(file)
        twins.append(file)
    copies = len(slices) - len(unique)
    what = "copy of a slice was" if copies == 1 else "copies of slices were"
    return unique, ((f"{copies} exact {what} passed over.",) if copies else ())


def _check_slices(slices: Sequence[_File]) -> None:
    """Every slice is one grey image with a place in the patient, in an encoding that can be read."""
    if any(file.integer("NumberOfFrames") > 1 for file in slices):
        raise ScanError(
            "the series is an enhanced multi-frame object; expected one file for each slice. "
            "Export it as classic (single-frame) DICOM or convert it to NIfTI."
        )
    if any(file.integer("SamplesPerPixel") > 1 for file in slices):
        raise ScanError(
            "the slices are colour pictures; expected grey values. Give the original CT or MR series."
        )
    for keyword, count in _PLACE.items():
        lacking = sum(file.numbers(keyword, count) is None for file in slices)
        if lacking:
            raise ScanError(
                f"{lacking} of {len(slices)} slices have no valid {keyword}; expected it in each. "
                "Export the series again from its source."
            )
    for file in slices:
        syntax = _transfer_syntax(file.header)
        if not _can_decode(syntax):
            raise ScanError(
                f"the slices are compressed as {_name(syntax)}, which cannot be decoded here; expected an "
                "encoding that can. Export the series uncompressed (Explicit VR Little Endian)."
            )


def _transfer_syntax(dataset: pydicom.Dataset) -> UID:
    """The encoding that the file names; a file without a name for it is uncompressed."""
    syntax = dataset.get("file_meta", {}).get("TransferSyntaxUID")
    if syntax:
        return UID(str(syntax))
    implicit, _ = dataset.original_encoding
    return ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian


def _name(syntax: UID) -> str:
    """The encoding in words; damaged bytes are not shown."""
    return syntax.name if syntax.is_valid else "an unknown encoding"


def _can_decode(syntax: UID) -> bool:
    try:
        return bool(get_decoder(syntax).is_available)
    except NotImplementedError:
        return False


def _values(slices: Sequence[_File]) -> tuple[npt.NDArray[Any], tuple[str, ...]]:
    """Rescaled values [i, j, k] of sorted slices, with a sentence on what was repaired."""
    slabs: list[npt.NDArray[Any]] = []
    notes = dict.fromkeys(_unscaled(slices))
    for file in slices:
        pixels = _pixels(file)
        # Only how it is shown: in CT the rescaled value is the HU all the same (PS3.3 C.7.6.3.1.2). MR has
        # no unit, and is taken as a screen shows it.
        inverted = file.text("PhotometricInterpretation") == "MONOCHROME1"
        if inverted and file.modality != "CT":
            notes["The slices are stored with dark and bright exchanged: they were inverted."] = (
                None
            )
            signed = file.integer("PixelRepresentation") == 1
            top = -1 if signed else 2 ** file.integer("BitsStored") - 1
            pixels = top - pixels.astype(np.int64)
        slab, repairs = lean_values(pixels.T[:, :, None], *_rescale(file))
        slabs.append(slab)
        notes |= dict.fromkeys(repairs)
    dtype = np.result_type(*{slab.dtype for slab in slabs})
    values = np.empty((*slabs[0].shape[:2], len(slabs)), dtype, order="F")
    for k in reversed(range(len(slabs))):
        values[:, :, k : k + 1] = slabs.pop()  # frees each slab, so that the scan is in memory once
    return values, tuple(notes)


def _unscaled(slices: Sequence[_File]) -> list[str]:
    lacking = sum(file.numbers("RescaleIntercept") is None for file in slices)
    if lacking and slices[0].modality == "CT":
        return [f"{lacking} slices have no rescale intercept: their values may not be HU."]
    return []


def _rescale(file: _File) -> tuple[float, float]:
    (slope,) = file.numbers("RescaleSlope") or (1.0,)
    (intercept,) = file.numbers("RescaleIntercept") or (0.0,)
    if slope == 0:
        raise ScanError(
            "a slice has a RescaleSlope of 0; expected a number that keeps its values apart. "
            "Export the series again from its source."
        )
    return slope, intercept


def _pixels(file: _File) -> npt.NDArray[Any]:
    """Stored values [row, column] of one slice, in native byte order."""
    size = file.integer("Rows"), file.integer("Columns")
    syntax = _transfer_syntax(file.header)
    try:
        dataset = pydicom.dcmread(file.path, force=True)
        dataset.file_meta.TransferSyntaxUID = syntax
        pixels = dataset.pixel_array
        if pixels.shape != size:
            raise ValueError
    except (MemoryError, OSError):
        raise
    except Exception as error:  # pydicom and its decoders raise exceptions of any type
        raise ScanError(
            f"the pixel data of a slice are missing, cut off or damaged ({_name(syntax)}); expected "
            f"{size[0]} x {size[1]} grey values. Export or copy the whole series again."
        ) from error
    return pixels.astype(pixels.dtype.newbyteorder("="))
