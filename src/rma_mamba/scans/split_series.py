"""Scans whose slices each have a SeriesInstanceUID of their own, as some scanners and anonymisers write them.

The slices are put together if nothing but the UID tells them apart and they form one stack.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from rma_mamba.scans.dicom_image import DicomImage
from rma_mamba.scans.slice_planes import DIRECTION_TOLERANCE, SAME_POSITION_MM, count_distinct

# Fewer series or positions are not known to be a stack.
_MIN_POSITIONS = 3

# A part of a scan has no more images than this: two slices, or the echoes of one.
_MAX_IMAGES = 4
_MAX_PART_POSITIONS = 2

# Deviation of distances from multiples of the smallest one, and the largest multiple: as for slices that are missing.
_TOLERANCE = 0.05
_MAX_MULTIPLE = 3


Key = TypeVar("Key", bound=Hashable)


def put_together(images_of: Mapping[Key, list[DicomImage]]) -> dict[Key, list[DicomImage]]:
    """Series with the images of each, in which the parts of one stack are one series."""
    stacks: dict[Hashable, list[Key]] = {}
    for key, images in images_of.items():
        if len(images) <= _MAX_IMAGES and all(image.is_slice for image in images):
            stacks.setdefault(_common_elements(images[0]), []).append(key)
    found = dict(images_of)
    for first, *others in stacks.values():
        parts = [images_of[key] for key in (first, *others)]
        images = [image for part in parts for image in part]
        if are_parts(parts) and _are_even(images):
            found[first] = images
            for key in others:
                del found[key]
    return found


def are_parts(series: Sequence[Sequence[DicomImage]]) -> bool:
    """Whether series of one or two slices lie side by side, as the parts of one scan do."""
    images = [image for slices in series for image in slices]
    if len(series) < _MIN_POSITIONS or not _are_parallel(images):
        return False
    sizes = {(image.integer("Rows"), image.integer("Columns")) for image in images}
    counts = [len(_positions_mm(slices)) for slices in series]
    positions = len(_positions_mm(images))
    # series that each have several of the same slices are volumes; those of one slice may be its echoes
    apart = max(counts) == 1 or positions == sum(counts)
    few = max(counts) <= _MAX_PART_POSITIONS and positions >= _MIN_POSITIONS
    return len(sizes) == 1 and apart and few


def _common_elements(image: DicomImage) -> Hashable:
    """What slices of one acquisition have in common, apart from their geometry in mm."""
    words = ("PatientID", "StudyInstanceUID", "SeriesNumber", "FrameOfReferenceUID")
    return (
        *(image.text(word) for word in words),
        *(image.modality, image.integer("Rows"), image.integer("Columns")),
    )


def _are_even(images: Sequence[DicomImage]) -> bool:
    """Whether the positions of parallel images are evenly spaced, with few of them missing."""
    steps = np.diff(_positions_mm(images))
    multiples = steps / steps.min()
    even = np.abs(multiples - np.round(multiples)).max() <= _TOLERANCE
    return bool(even and multiples.max() < _MAX_MULTIPLE + _TOLERANCE)


def _are_parallel(images: Sequence[DicomImage]) -> bool:
    """Whether all images have a position, one orientation and one pixel size."""
    places = [image.numbers("ImagePositionPatient", 3) for image in images]
    directions = [image.numbers("ImageOrientationPatient", 6) for image in images]
    spacings = [image.numbers("PixelSpacing", 2) for image in images]
    if not images or None in [*places, *directions, *spacings]:
        return False
    rows = [
        (*one, *other) for one, other in zip(directions, spacings, strict=True) if one and other
    ]
    return count_distinct(rows, DIRECTION_TOLERANCE) == 1


def _positions_mm(images: Sequence[DicomImage]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Distinct positions of parallel images along their normal, sorted, in mm."""
    directions = np.array(images[0].numbers("ImageOrientationPatient", 6)).reshape(2, 3)
    places = np.array([image.numbers("ImagePositionPatient", 3) for image in images])
    along = np.sort(places @ np.cross(*directions))
    return along[np.diff(along, prepend=-np.inf) >= SAME_POSITION_MM]
