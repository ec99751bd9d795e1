"""A DICOM series with every module that a hospital's has, of any orientation, and a liver-like mask on it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import Dataset

from dicom_series import AXIAL, CORONAL, SAGITTAL, ct_slice, enhanced, save
from rma_mamba.scans import read_scan
from rma_mamba.volume import Mask

ROWS, COLUMNS, SLICES = 30, 24, 12
STUDY = "1.2.826.0.1.3680043.8.498.2"
FRAME_OF_REFERENCE = "1.2.826.0.1.3680043.8.498.3"
PATIENT = {
    "PatientName": "Doe^John",
    "PatientID": "4711",
    "PatientBirthDate": "19700101",
    "PatientSex": "M",
    "PatientAge": "056Y",
    "StudyInstanceUID": STUDY,
    "StudyID": "S1",
    "StudyDate": "20260102",
    "StudyTime": "101112",
    "StudyDescription": "Abdomen",
    "AccessionNumber": "A1",
    "ReferringPhysicianName": "Roe^Jane",
    "FrameOfReferenceUID": FRAME_OF_REFERENCE,
    "PositionReferenceIndicator": "",
}


def turned(x: float, y: float, z: float) -> tuple[float, ...]:
    """Row and column direction of an axial slice rotated about the three axes, in degrees."""
    directions = np.eye(3)
    for axis, angle in enumerate((x, y, z)):
        one, other = [each for each in range(3) if each != axis]
        cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        turn = np.eye(3)
        turn[one, one] = turn[other, other] = cosine
        turn[one, other], turn[other, one] = -sine, sine
        directions = turn @ directions
    return tuple(directions[:, :2].T.ravel())


ORIENTATIONS = {
    "axial": AXIAL,
    "coronal": CORONAL,
    "sagittal": SAGITTAL,
    "oblique about x": turned(17.3, 0, 0),
    "oblique about y": turned(0, -28.9, 0),
    "double oblique": turned(12.1, 33.3, -8.7),
    "double oblique coronal": turned(101.5, 21.4, 47.2),
}


def clinical_series(
    directions: Any = AXIAL, *, slices: int = SLICES, **elements: Any
) -> list[Dataset]:
    """CT slices sorted by position: row spacing 1.3 mm, column spacing 0.9 mm, slice spacing 2.7 mm."""
    normal = np.cross(directions[:3], directions[3:])
    random = np.random.default_rng(0)
    found = []
    for number in range(slices):
        position = np.array([-112.25, -83.5, 41.125]) + number * 2.7 * normal
        pixels = random.integers(1000, 1100, (ROWS, COLUMNS))
        data = ct_slice(pixels, position, directions, (1.3, 0.9), number)
        for keyword, value in {**PATIENT, **elements}.items():
            setattr(data, keyword, value)
        data.SeriesNumber, data.InstanceNumber = 3, number + 1
        data.Manufacturer, data.KVP, data.PatientPosition = "Maker", 120, "HFS"
        found.append(data)
    return found


def blob(shape: tuple[int, int, int]) -> np.ndarray[Any, Any]:
    """An ellipsoid with a hole, and a separate voxel: uint8 [i, j, k]."""
    i, j, k = np.meshgrid(*(np.linspace(-1, 1, size) for size in shape), indexing="ij")
    inside = (i / 0.8) ** 2 + ((j - 0.1) / 0.7) ** 2 + (k / 0.75) ** 2 < 1
    inside &= ~((np.abs(i + 0.1) < 0.2) & (np.abs(j) < 0.15))
    inside[1, 1, shape[2] // 2] = True
    return inside.astype(np.uint8)


def series_mask(folder: Path, directions: Any = AXIAL, labels: Any = None, **elements: Any) -> Mask:
    """A mask of a series written to a folder."""
    volume = read_scan(save(folder, clinical_series(directions, **elements)))
    marked = blob(volume.geometry.shape) if labels is None else labels
    return Mask(marked, volume.geometry, volume.header, volume.source_images)


def enhanced_mask(folder: Path, **elements: Any) -> Mask:
    """A mask of a series stored as one multi-frame object."""
    data = enhanced(clinical_series())
    for keyword, value in {**PATIENT, **elements}.items():
        setattr(data, keyword, value)
    volume = read_scan(save(folder, [data]))
    return Mask(blob(volume.geometry.shape), volume.geometry, volume.header, volume.source_images)
