"""DICOM slices become a volume: from a folder, an archive or one file; one series of any number.

Source: DICOM PS3.3 C.7.6.2 (Image Plane Module).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from rma_mamba.errors import ScanError
from rma_mamba.scans import dicom_pixels
from rma_mamba.scans.checks import plausibility_warnings
from rma_mamba.scans.dicom_files import Files, read_files
from rma_mamba.scans.dicom_image import PLACE, DicomImage, quiet
from rma_mamba.scans.dicom_series import (
    SEGMENTED,
    Series,
    SeriesInfo,
    choose,
    describe,
    group,
    modalities,
)
from rma_mamba.scans.dicom_volumes import SeriesVolumes, split_volumes
from rma_mamba.scans.input_files import InputFile
from rma_mamba.scans.resampling import resample_slices
from rma_mamba.scans.slice_grid import MAX_MISSING_FRACTION, SliceGrid, check_consistent, fit_grid
from rma_mamba.source_images import SourceImage, SourceImages
from rma_mamba.volume import Geometry, Modality, Volume

# What all slices of one scan share; a slice that lacks it while others have it is from elsewhere.
_ONE_OF_EACH = {"FrameOfReferenceUID": "frames of reference"}

# What lies beside a slice that had to be moved: air in CT, no signal in MR.
_AIR_HU, _NO_SIGNAL = -1024.0, 0.0


@dataclass(frozen=True)
class Selection:
    """What is to be read of a study, and how.

    Args:
        series: Number in the list of series, or UID; None: the best.
        frame: Number of the volume of a 4-D series, from 1; None: there is one.
        strict: Refuse slices that would have to be repaired, and damaged files.
    """

    series: int | str | None = None
    volume: int | None = None
    strict: bool = False


def read(entries: Sequence[InputFile], choice: Selection | None = None) -> Volume:
    """Read one volume of one series of CT or MR slices.

    Files that are not DICOM are passed over; localizers, segmentations, reports and the like, and a few
    damaged files too, with a warning. CT comes in HU. Axes are (i column, j row, k slice along the slices' normal).

    Raises:
        ScanError: There is no series that can be chosen, or it is not one complete, decodable stack.
        GridError: The slices' directions or spacing are impossible.
        ConfigError: There is no such series or frame.
    """
    choice = choice or Selection()
    with quiet():
        files = read_files(entries, strict=choice.strict)
        try:
            return _volume(files, choice)
        except dicom_pixels.DamagedPixelsError:
            sound = files if choice.strict else _decodable(files, choice)
            if len(sound.images) == len(files.images):
                raise
            return _volume(sound, choice)


def _volume(files: Files, choice: Selection) -> Volume:
    slices, found, notes = _stacked(files, choice)
    source = _source(slices, found)
    values, repairs = _values(slices, source, found.geometry.shape)
    name = slices[0].modality
    modality = cast("Modality", name) if name in ("CT", "MR") else None
    notes = (*notes, *found.repairs, *repairs, *plausibility_warnings(values, found.geometry))
    return Volume(values, found.geometry, modality, warnings=notes, source_images=source)


def _decodable(files: Files, choice: Selection) -> Files:
    """The files without slices whose header is there and whose pixels are not; all, if these are too many."""
    slices = choose(group(files.images), choice.series)[0].slices
    bad = dicom_pixels.undecodable(slices)
    if len(bad) > MAX_MISSING_FRACTION * (len(slices) - len(bad)):
        return files
    lost = {id(image) for image in bad}
    sound = [image for image in files.images if id(image) not in lost]
    return Files(sound, files.strangers, files.damaged + len(bad))


def read_geometry(entries: Sequence[InputFile], choice: Selection | None = None) -> Geometry:
    """The grid of the volume that `read` would return; pixels are not read.

    Raises:
        ScanError, GridError, ConfigError: As of `read`, but for what only the pixels show.
    """
    with quiet():
        choice = choice or Selection()
        return _stacked(read_files(entries, strict=choice.strict), choice)[1].geometry


def slice_paths(entries: Sequence[InputFile]) -> list[Path]:
    """The file of each slice k of the volume that `read` would return.

    Raises:
        ScanError, GridError: As of `read` if strict, but for what only the pixels show.
    """
    with quiet():
        slices = _stacked(read_files(entries, strict=True), Selection(strict=True))[0]
    return [image.entry.path for image in slices if image.entry.path is not None]


def list_series(entries: Sequence[InputFile]) -> list[SeriesInfo]:
    """All series among the files, with the one that `read` would choose.

    Raises:
        ScanError: There are no DICOM files.
    """
    with quiet():
        return describe(group(read_files(entries).images))


def count_volumes(entries: Sequence[InputFile], series: int | str | None = None) -> int:
    """Number of volumes in the series that `read` would choose.

    Raises:
        ScanError, GridError, ConfigError: As of `read`.
    """
    with quiet():
        images = read_files(entries).images
        return len(_frames(choose(group(images), series)[0]).volumes)


def _stacked(
    files: Files, choice: Selection
) -> tuple[list[DicomImage], SliceGrid, tuple[str, ...]]:
    """The slices of one volume in order, their grid, and what was passed over."""
    series, chosen = choose(group(files.images), choice.series)
    notes = (*files.notes, *chosen)
    volumes = _frames(series)
    slices = volumes.pick(choice.volume)
    found = fit_grid([image.plane for image in slices], strict=choice.strict, also=volumes.faults)
    slices = [slices[index] for index in found.order]
    if len(slices) == 1:
        notes = (*notes, "The scan is a single slice: volume and mask are of this slice alone.")
    return slices, found, (*notes, *volumes.repairs)


def _frames(series: Series) -> SeriesVolumes:
    """The volumes of a series, after a check of each slice by itself."""
    slices = series.slices
    _check_series(series)
    _check_slices(slices)
    check_consistent([image.plane for image in slices])
    return split_volumes(slices, dicom_pixels.digester())


def _check_series(series: Series) -> None:
    """It has slices, of one kind, and it is CT or MR."""
    slices = series.slices
    found = modalities(slices or series.images)
    if not slices:
        raise ScanError(
            f"the series holds no slices of a scan ({found}); expected CT or MR slices. "
            "List the series with `rma-mamba series` and choose another one."
        )
    kinds = {image.modality for image in slices}
    counts = {
        name: len({image.text(keyword) for image in slices})
        for keyword, name in _ONE_OF_EACH.items()
    }
    many = next((name for name, count in counts.items() if count > 1), None)
    if many or len(kinds) > 1:
        count = f"{counts[many]} {many}" if many else "several modalities"
        raise ScanError(
            f"the series holds {count} (slices: {found}); expected one. "
            "Put the slices to be segmented into a folder of their own."
        )
    if not kinds <= SEGMENTED:
        raise ScanError(
            f"the series is of another kind (slices: {found}); expected CT or MR. Give a CT or MR series."
        )


def _check_slices(slices: Sequence[DicomImage]) -> None:
    """Every slice is one grey image with a place in the patient, in an encoding that can be read."""
    if any(image.frame is None and image.integer("NumberOfFrames") > 1 for image in slices):
        raise ScanError(
            "the series is a multi-frame object that does not place its frames; expected one file for each "
            "slice, or an enhanced object. Export it as classic DICOM or convert it to NIfTI."
        )
    if any(
        image.integer("SamplesPerPixel") > 1
        or image.text("PhotometricInterpretation") == "PALETTE COLOR"
        for image in slices
    ):
        raise ScanError(
            "the slices are colour pictures; expected grey values. Give the original CT or MR series."
        )
    for keyword, count in PLACE.items():
        lacking = sum(image.numbers(keyword, count) is None for image in slices)
        if lacking:
            raise ScanError(
                f"{lacking} of {len(slices)} slices have no valid {keyword}; expected it in each. "
                "Export the series again from its source."
            )
    dicom_pixels.check_encodings(slices)


def _source(slices: Sequence[DicomImage], found: SliceGrid) -> SourceImages:
    rows, columns = slices[0].plane.size
    return SourceImages(
        tuple(
            SourceImage(
                image.text("SOPInstanceUID"),
                image.frame,
                cast("tuple[float, float, float]", image.place),
                image.entry.open,
            )
            for image in slices
        ),
        (columns, rows),
        found.offsets,
    )


def _values(
    slices: Sequence[DicomImage], source: SourceImages, shape: tuple[int, int, int]
) -> tuple[npt.NDArray[Any], tuple[str, ...]]:
    """Values [i, j, k] of sorted slices on their grid, with a sentence on what was repaired."""
    notes: dict[str, None] = {}
    slabs = dicom_pixels.slabs(slices, notes)
    if not source.is_regular:
        fill = _AIR_HU if slices[0].modality == "CT" else _NO_SIGNAL
        return resample_slices(slabs, source, shape, fill), tuple(notes)
    held = list(slabs)
    dtype = np.result_type(*{slab.dtype for slab in held})
    values = np.empty(shape, dtype, order="F")
    for k in reversed(range(len(held))):
        values[:, :, k] = held.pop()  # frees each slab, so that the scan is in memory once
    return values, tuple(notes)
