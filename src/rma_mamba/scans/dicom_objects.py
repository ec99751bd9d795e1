"""The headers of the images behind a mask, as DICOM objects made from it need them.

Such an object repeats the patient and the study, refers to the images by their identifiers, and lies in their
frame of reference. What a header lacks and may be empty is made empty; what must not be missing is an error.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from io import BytesIO
from typing import Any

import numpy as np
import pydicom
from highdicom.enum import PatientSexValues, SpecificCharacterSetValues
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import CTImageStorage, MRImageStorage, generate_uid
from pydicom.valuerep import DA, TM

from rma_mamba.errors import RmaMambaError, ScanError
from rma_mamba.files import atomic_write
from rma_mamba.scans.dicom_image import quiet
from rma_mamba.source_images import SourceImages
from rma_mamba.volume import Mask

ANATOMY = Code("123037004", "SCT", "Anatomical Structure")
LIVER = codes.SCT.Liver

NAME = "rma-mamba"  # manufacturer, model and algorithm
SERIES_NUMBERS = {"SEG": 9001, "RTSTRUCT": 9002, "SR": 9003}

# They may be empty but not missing (type 2).
_MAY_BE_EMPTY = (
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID"),
    *("StudyDate", "StudyTime", "ReferringPhysicianName", "PositionReferenceIndicator"),
)

# Without them nothing can refer to an image.
_NEEDED = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")

_CLASSES = {"CT": CTImageStorage, "MR": MRImageStorage}

_LPS = np.array([-1.0, -1.0, 1.0])


def equipment() -> dict[str, str]:
    """What made the object, as highdicom's constructors take it."""
    release = version(NAME)
    return {
        "manufacturer": NAME,
        "manufacturer_model_name": NAME,
        "software_versions": release,
        "device_serial_number": release,
    }


def image_headers(mask: Mask, source: SourceImages) -> list[pydicom.Dataset]:
    """For each image along k its header, mended where that is safe; frames of one object share one header.

    Raises:
        ScanError: A header lacks what an object made from it must have.
        OSError: A file is gone.
    """
    held: dict[str, pydicom.Dataset] = {}
    for image in source.slices:
        if image.instance_uid not in held:
            with image.open() as stream:
                held[image.instance_uid] = pydicom.dcmread(
                    stream, stop_before_pixels=True, force=True
                )
            _mend(held[image.instance_uid], mask, image.frame)
    headers = [held[image.instance_uid] for image in source.slices]
    if image_count(headers) < len(headers) and source.slices[0].frame is None:
        raise _lacking("SOPInstanceUID of its own")
    for header in headers:
        # tiny differences from slice to slice come from rounding; the reader refuses others
        if "ImageOrientationPatient" in header:
            header.ImageOrientationPatient = headers[0].ImageOrientationPatient
    return headers


def image_count(headers: list[pydicom.Dataset]) -> int:
    """Number of different objects among headers."""
    return len({id(header) for header in headers})


def unique(headers: list[pydicom.Dataset]) -> list[pydicom.Dataset]:
    """Each header once, in order."""
    return list({id(header): header for header in headers}.values())


def axes_lps(mask: Mask) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Steps to the next column and to the next row of an image, LPS+ mm."""
    steps = _LPS[:, None] * mask.geometry.affine[:3, :3]
    return steps[:, 0], steps[:, 1]


def slice_step_mm(mask: Mask) -> float:
    """Distance between neighbouring slices along their normal, in mm."""
    column, row, normal = mask.geometry.affine[:3, :3].T
    across = np.cross(column, row)
    return abs(float(normal @ across)) / float(np.linalg.norm(across))


@contextmanager
def building(what: str) -> Iterator[None]:
    """Keep the libraries' remarks, which quote elements, from the user, and turn their errors into one of ours.

    Raises:
        ScanError: Of whatever a library refuses in the headers.
    """
    logger = logging.getLogger("highdicom")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with quiet():
            yield
    except (RmaMambaError, MemoryError):
        raise
    except OSError as error:
        raise ScanError(
            f"the scan's files cannot be opened any more ({error.strerror or 'input/output error'}); "
            f"expected them, since a {what} repeats parts of them. Leave them in place while it is made."
        ) from error
    except Exception as error:  # damaged elements raise exceptions of any type
        raise ScanError(
            f"the headers of the scan do not allow a {what} ({type(error).__name__}); expected complete "
            "DICOM headers. Export the series again, or choose another kind of output."
        ) from error
    finally:
        logger.setLevel(level)


def save(dataset: pydicom.Dataset, path: Any, what: str) -> None:
    """Write a DICOM object, complete or not at all.

    Raises:
        ScanError: It cannot be written.
    """
    content = BytesIO()
    with building(what):
        dataset.save_as(content, enforce_file_format=True)
    with atomic_write(path, what) as file:
        file.write(content.getbuffer())


def _mend(header: pydicom.Dataset, mask: Mask, frame: int | None) -> None:
    for keyword in _NEEDED:
        if not header.get(keyword):
            raise _lacking(keyword)
    for keyword in _MAY_BE_EMPTY:
        if keyword not in header:
            setattr(header, keyword, None)
    _drop_nonsense(header)
    _settle_characters(header)
    if "SOPClassUID" not in header:
        header.SOPClassUID = _CLASSES.get(str(header.get("Modality")), CTImageStorage)
    if not header.get("FrameOfReferenceUID"):
        # one for all objects made from this series, which lie where it lies
        header.FrameOfReferenceUID = generate_uid(entropy_srcs=[str(header.SeriesInstanceUID)])
    if header.get("SliceThickness") is None:
        header.SliceThickness = round(slice_step_mm(mask), 6)
    if frame is not None:
        _share(header, header.PerFrameFunctionalGroupsSequence[frame - 1])


def _share(header: pydicom.Dataset, group: pydicom.Dataset) -> None:
    """Put orientation and spacing, which all frames that were read share, where highdicom looks for them."""
    shared = header.SharedFunctionalGroupsSequence[0]
    for keyword in ("PlaneOrientationSequence", "PixelMeasuresSequence"):
        if keyword not in shared and keyword in group:
            setattr(shared, keyword, group[keyword].value)


def _drop_nonsense(header: pydicom.Dataset) -> None:
    """Empty what is no date, time or sex: a strict writer would refuse it."""
    kinds: dict[str, Any] = {"PatientBirthDate": DA, "StudyDate": DA, "StudyTime": TM}
    kinds["PatientSex"] = PatientSexValues
    for keyword, kind in kinds.items():
        try:
            value = header.get(keyword)
            if value:
                kind(str(value))
        except Exception:
            setattr(header, keyword, None)
    number = header.get("SliceThickness")
    if number is not None and not 0 < float(number) < math.inf:
        header.SliceThickness = None


def _settle_characters(header: pydicom.Dataset) -> None:
    """Write text as UTF-8 where the header names an encoding that a strict writer does not know."""
    named = header.get("SpecificCharacterSet")
    if not named:
        header.pop("SpecificCharacterSet", None)
        return
    try:
        for name in [named] if isinstance(named, str) else named:
            SpecificCharacterSetValues(name)
    except ValueError:
        header.decode()  # from what it was named to be
        header.SpecificCharacterSet = "ISO_IR 192"


def _lacking(what: str) -> ScanError:
    return ScanError(
        f"an image of the scan has no {what}; expected it, since the output has to refer to each image. "
        "Export the series again, or choose another kind of output."
    )
