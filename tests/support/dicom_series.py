"""Synthetic DICOM series, with a patient name that must not appear in any output."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import Dataset, FileMetaDataset, uid
from pydicom.encaps import encapsulate

ROWS, COLUMNS, SLICES = 5, 4, 6
AXIAL = (1.0, 0, 0, 0, 1, 0)
CORONAL = (1.0, 0, 0, 0, 0, -1)
SAGITTAL = (0, 1.0, 0, 0, 0, -1)
NAME = "Doe^John"
SERIES = "1.2.826.0.1.3680043.8.498.1"

Edit = Callable[[list[Dataset]], None]


def stored(slices: int = SLICES) -> np.ndarray[Any, Any]:
    """Stored values [slice, row, column], all different."""
    return np.arange(slices * ROWS * COLUMNS).reshape(slices, ROWS, COLUMNS)


def series(
    *,
    slices: int = SLICES,
    directions: Any = AXIAL,
    spacing: Any = (1.5, 0.75),
    step_mm: float = 2.5,
    origin: Any = (-120.0, -80, 40),
) -> list[Dataset]:
    """A CT series in the order of its positions along the normal."""
    normal = np.cross(directions[:3], directions[3:])
    return [
        ct_slice(stored(slices)[k], np.array(origin) + k * step_mm * normal, directions, spacing, k)
        for k in range(slices)
    ]


def ct_slice(pixels: Any, position: Any, directions: Any, spacing: Any, number: int) -> Dataset:
    data = Dataset()
    data.SOPClassUID = uid.CTImageStorage
    data.SOPInstanceUID = f"{SERIES}.{number}"
    data.SeriesInstanceUID = SERIES
    data.PatientName, data.PatientID = NAME, "4711"
    data.Modality = "CT"
    data.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    data.ImagePositionPatient = [float(f"{value:.10g}") for value in position]
    data.ImageOrientationPatient = [float(f"{value:.10g}") for value in directions]
    data.PixelSpacing = list(spacing)
    data.SliceThickness = 3.0
    data.RescaleSlope, data.RescaleIntercept = 1, -1024
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.Rows, data.Columns = pixels.shape
    data.BitsAllocated, data.BitsStored, data.HighBit = 16, 12, 11
    data.PixelRepresentation = 0
    data.PixelData = pixels.astype("<u2").tobytes()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    return data


def save(folder: Path, slices: list[Dataset], *, shuffled: bool = True) -> Path:
    """Write one file per slice, with names that are not in the order of positions."""
    folder.mkdir(exist_ok=True)
    order = np.random.default_rng(0).permutation(len(slices)) if shuffled else range(len(slices))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tests write invalid elements on purpose
        for name, k in enumerate(order):
            slices[k].save_as(
                folder / f"IM{name:04}",
                implicit_vr=False,
                little_endian=True,
                enforce_file_format=True,
            )
    return folder


def edited(edit: Edit, **settings: Any) -> list[Dataset]:
    slices = series(**settings)
    edit(slices)
    return slices


def assign(keyword: str, value: Any, which: slice = slice(None)) -> Edit:
    def edit(slices: list[Dataset]) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for data in slices[which]:
                setattr(data, keyword, value)

    return edit


def remove(keyword: str, which: slice = slice(None)) -> Edit:
    def edit(slices: list[Dataset]) -> None:
        for data in slices[which]:
            delattr(data, keyword)

    return edit


def lps_of(data: Dataset, row: int, column: int) -> Any:
    """Position of a pixel in LPS+ mm, by the formula of DICOM PS3.3 C.7.6.2.1.1."""
    along_row, along_column = np.array(data.ImageOrientationPatient, float).reshape(2, 3)
    between_rows, between_columns = map(float, data.PixelSpacing)
    start = np.array(data.ImagePositionPatient, float)
    return start + along_row * between_columns * column + along_column * between_rows * row


def assert_every_voxel_at_its_position(volume: Any, slices: list[Dataset]) -> None:
    """Check that each pixel of each slice is in the volume at its position, with its HU."""
    to_voxel = np.linalg.inv(volume.geometry.affine)
    assert volume.values.size == len(slices) * ROWS * COLUMNS
    for data in slices:
        pixels = np.frombuffer(data.PixelData, "<u2").reshape(ROWS, COLUMNS)
        for (row, column), value in np.ndenumerate(pixels):
            ras = lps_of(data, row, column) * [-1, -1, 1]
            voxel = to_voxel[:3, :3] @ ras + to_voxel[:3, 3]
            index = tuple(round(number) for number in voxel)
            np.testing.assert_allclose(voxel, index, rtol=0, atol=1e-5)
            assert volume.values[index] == int(value) - 1024


def beside(kind: str) -> Dataset:
    """A DICOM object that is not a slice, as found next to a series."""
    data = series(slices=1)[0]
    data.SeriesInstanceUID, data.SOPInstanceUID = f"{SERIES}.9", f"{SERIES}.9.1"
    if kind == "localizer":
        data.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
        data.ImageOrientationPatient = list(CORONAL)
    elif kind == "screenshot":
        data.SOPClassUID = uid.SecondaryCaptureImageStorage
        del data.ImagePositionPatient, data.ImageOrientationPatient
    elif kind == "segmentation":
        data.SOPClassUID, data.Modality, data.NumberOfFrames = uid.SegmentationStorage, "SEG", 2
        data.PixelData = data.PixelData * 2
        del data.ImagePositionPatient, data.ImageOrientationPatient
    elif kind == "report":
        data.SOPClassUID, data.Modality = uid.BasicTextSRStorage, "SR"
        del data.Rows, data.Columns, data.PixelData, data.PixelSpacing
    elif kind == "dose":
        data.SOPClassUID, data.Modality = uid.RTDoseStorage, "RTDOSE"
    return data


def shift(index: int, axis: int, by_mm: float) -> Edit:
    def edit(slices: list[Dataset]) -> None:
        slices[index].ImagePositionPatient[axis] += by_mm

    return edit


def drop(*indices: int) -> Edit:
    def edit(slices: list[Dataset]) -> None:
        for index in sorted(indices, reverse=True):
            del slices[index]

    return edit


def tilt(slices: list[Dataset]) -> None:
    """Gantry tilt of 15 degrees: axial orientation, positions with an in-plane shift."""
    for k, data in enumerate(slices):
        data.ImagePositionPatient[1] += k * 2.5 * np.tan(np.radians(15))


def encode_as(syntax: str) -> Edit:
    def edit(slices: list[Dataset]) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for data in slices:
                data.file_meta.TransferSyntaxUID = syntax

    return edit


def compress_unknown(slices: list[Dataset]) -> None:
    for data in slices:
        data.PixelData = encapsulate([data.PixelData])
        data["PixelData"].is_undefined_length = True
        data.file_meta.TransferSyntaxUID = uid.MPEG2MPML


def break_rle(slices: list[Dataset]) -> None:
    slices[0].compress(uid.RLELossless, generate_instance_uid=False)
    slices[0].PixelData = encapsulate([b"\xff" * 64])


def shorten(slices: list[Dataset]) -> None:
    slices[2].PixelData = slices[2].PixelData[:-6]


def resize(slices: list[Dataset]) -> None:
    slices[1].Rows, slices[1].Columns = COLUMNS, ROWS


def double(slices: list[Dataset]) -> None:
    """Two echoes of each slice in one series."""
    for k, data in enumerate(series()):
        data.SOPInstanceUID = f"{SERIES}.{100 + k}"
        slices.append(data)


def pixels_of(slices: list[Dataset], change: Callable[[Any, int], Any]) -> None:
    """Replace the stored values of each slice by `change(values, slice number)`."""
    for k, data in enumerate(slices):
        values = np.frombuffer(data.PixelData, "<u2").reshape(data.Rows, data.Columns)
        data.PixelData = change(values, k).astype("<u2").tobytes()


def as_series(slices: list[Dataset], number: int, **elements: Any) -> list[Dataset]:
    """The same slices as another series."""
    for k, data in enumerate(slices):
        data.SeriesInstanceUID = f"{SERIES}.{number}"
        data.SOPInstanceUID = f"{SERIES}.{number}.{k}"
        data.SeriesNumber = number
        for keyword, value in elements.items():
            setattr(data, keyword, value)
    return slices


def enhanced(slices: list[Dataset]) -> Dataset:
    """The same slices as the frames of one enhanced multi-frame object (CT or MR)."""
    first = slices[0]
    data = Dataset()
    modality = str(first.Modality)
    data.SOPClassUID = {"CT": uid.EnhancedCTImageStorage, "MR": uid.EnhancedMRImageStorage}[
        modality
    ]
    for keyword in ("SOPInstanceUID", "SeriesInstanceUID", "Modality", "ImageType", "Rows"):
        setattr(data, keyword, first[keyword].value)
    for keyword in ("Columns", "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated"):
        setattr(data, keyword, first[keyword].value)
    for keyword in ("BitsStored", "HighBit", "PixelRepresentation", "PatientName", "PatientID"):
        setattr(data, keyword, first[keyword].value)
    data.NumberOfFrames = len(slices)
    measures, direction = Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = first.PixelSpacing, first.SliceThickness
    direction.ImageOrientationPatient = first.ImageOrientationPatient
    shared = Dataset()
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [direction]
    data.SharedFunctionalGroupsSequence = [shared]
    data.PerFrameFunctionalGroupsSequence = [_groups(each) for each in slices]
    data.PixelData = b"".join(each.PixelData for each in slices)
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    return data


def _groups(slice_: Dataset) -> Dataset:
    place, scale, group = Dataset(), Dataset(), Dataset()
    place.ImagePositionPatient = slice_.ImagePositionPatient
    scale.RescaleSlope, scale.RescaleIntercept = slice_.RescaleSlope, slice_.RescaleIntercept
    group.PlanePositionSequence, group.PixelValueTransformationSequence = [place], [scale]
    if "EchoTime" in slice_:
        echo = Dataset()
        echo.EffectiveEchoTime = slice_.EchoTime
        group.MREchoSequence = [echo]
    return group


def zipped(folder: Path, path: Path) -> Path:
    """A zip archive of the files in a folder."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder))
    return path
