"""Reading of DICOM series: from the files of a study to one volume.

Source: DICOM PS3.3 C.7.6.2 (Image Plane Module).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from rma_mamba.errors import ScanError
from rma_mamba.scans import dicom_pixels
from rma_mamba.scans.checks import plausibility_warnings
from rma_mamba.scans.dicom_files import StudyFiles, read_files
from rma_mamba.scans.dicom_image import PLANE_ELEMENTS, DicomImage
from rma_mamba.scans.dicom_parsing import pydicom_messages_suppressed
from rma_mamba.scans.dicom_series import (
    SUPPORTED_MODALITIES,
    Series,
    SeriesInfo,
    group_by_series,
    modality_counts,
)
from rma_mamba.scans.dicom_volumes import SeriesVolumes, split_volumes
from rma_mamba.scans.input_files import InputFile
from rma_mamba.scans.resampling import resample_slices
from rma_mamba.scans.series_selection import describe, select
from rma_mamba.scans.slice_grid import MAX_MISSING_FRACTION, SliceGrid, fit_grid
from rma_mamba.scans.slice_planes import check_consistent
from rma_mamba.source_images import SourceImage, SourceImages
from rma_mamba.volume import Geometry, Modality, Volume

# Fill value outside a shifted slice: air in CT, no signal in MR.
_AIR_FILL_HU, _NO_SIGNAL = -1024.0, 0.0


@dataclass(frozen=True)
class Selection:
    """Which volume of a study to read, and how strictly.

    Args:
        series: Number in the list of series, or UID; None: the best series.
        volume: Number of the volume in a multi-volume series, counted from 1; None if there is one.
        strict: Raise an error for irregular slices and corrupt files instead of correcting or skipping them.
        any_study: Of several studies of one patient, select the best series of all; not if `strict`.
    """

    series: int | str | None = None
    volume: int | None = None
    strict: bool = False
    any_study: bool = False


def read(files: Sequence[InputFile], selection: Selection | None = None) -> Volume:
    """Read one volume of one CT or MR series.

    Files that are not DICOM are ignored; localizers, segmentations, reports and a few corrupt files are skipped
    with a warning. CT values are HU. Axes are i columns, j rows, k slices along their normal.

    Raises:
        ScanError: No series can be selected, or the series is not one complete stack that can be decoded.
        GridError: The orientation or the spacing of the slices is invalid.
        ConfigError: The requested series or volume does not exist.
    """
    selection = selection or Selection()
    with pydicom_messages_suppressed():
        study = read_files(files, strict=selection.strict)
        try:
            return _volume(study, selection)
        except dicom_pixels.CorruptPixelsError:
            intact = study if selection.strict else _without_corrupt_pixels(study, selection)
            if len(intact.images) == len(study.images):
                raise
            return _volume(intact, selection)


def read_geometry(files: Sequence[InputFile], selection: Selection | None = None) -> Geometry:
    """The geometry of the volume that `read` would return, from the headers only.

    Raises:
        ScanError, GridError, ConfigError: As for `read`, except for errors in the pixel data.
    """
    with pydicom_messages_suppressed():
        selection = selection or Selection()
        return _sorted_slices(read_files(files, strict=selection.strict), selection)[1].geometry


def slice_paths(files: Sequence[InputFile]) -> list[Path]:
    """The file of each slice k of the volume that `read` would return.

    Raises:
        ScanError, GridError: As for strict reading, except for errors in the pixel data.
    """
    with pydicom_messages_suppressed():
        slices = _sorted_slices(read_files(files, strict=True), Selection(strict=True))[0]
    return [image.file.path for image in slices if image.file.path is not None]


def list_series(
    files: Sequence[InputFile], *, any_study: bool = False, among: Collection[str] | None = None
) -> list[SeriesInfo]:
    """All series among the files, or those with certain UIDs; the one that `read` selects by default is marked.

    Raises:
        ScanError: There are no DICOM files.
    """
    with pydicom_messages_suppressed():
        series = group_by_series(read_files(files).images)
        listed = [each for each in series if among is None or each.uid in among]
        return describe(listed, any_study=any_study)


def count_volumes(files: Sequence[InputFile], series: int | str | None = None) -> int:
    """Number of volumes in the series that `read` would select.

    Raises:
        ScanError, GridError, ConfigError: As for `read`.
    """
    with pydicom_messages_suppressed():
        images = read_files(files).images
        return len(_volumes(select(group_by_series(images), series)[0]).volumes)


def _volume(study: StudyFiles, selection: Selection) -> Volume:
    slices, grid, warnings = _sorted_slices(study, selection)
    source_images = _source_images(slices, grid)
    values, repairs = _values(slices, source_images, grid.geometry.shape)
    modality = cast("Modality", slices[0].modality) if slices[0].modality in ("CT", "MR") else None
    plausibility = plausibility_warnings(values, grid.geometry)
    warnings = (*warnings, *grid.repairs, *repairs, *plausibility)
    return Volume(
        values,
        grid.geometry,
        modality,
        None,
        warnings,
        source_images,
        missing_slices=grid.missing,
    )


def _without_corrupt_pixels(study: StudyFiles, selection: Selection) -> StudyFiles:
    """Drop slices that cannot be decoded; the study is returned unchanged if there are too many of them."""
    slices = _selected(study, selection)[0].slices
    corrupt = dicom_pixels.undecodable(slices)
    if len(corrupt) > MAX_MISSING_FRACTION * (len(slices) - len(corrupt)):
        return study
    dropped = {id(image) for image in corrupt}
    intact = [image for image in study.images if id(image) not in dropped]
    return replace(study, images=intact, corrupt=study.corrupt + len(corrupt))


def _sorted_slices(
    study: StudyFiles, selection: Selection
) -> tuple[list[DicomImage], SliceGrid, tuple[str, ...]]:
    """The sorted slices of one volume, their grid, and warnings about the selection and skipped files."""
    series, selected = _selected(study, selection)
    volumes = _volumes(series)
    slices = volumes.select(selection.volume)
    planes = [image.plane for image in slices]
    grid = fit_grid(planes, strict=selection.strict, problems=volumes.problems)
    slices = [slices[index] for index in grid.order]
    single = (
        ("The scan has only one slice; the mask and volume cover that slice alone.",)
        if len(slices) == 1
        else ()
    )
    return slices, grid, (*study.warnings, *selected, *single, *volumes.repairs)


def _selected(study: StudyFiles, selection: Selection) -> tuple[Series, tuple[str, ...]]:
    any_study = selection.any_study and not selection.strict
    return select(group_by_series(study.images), selection.series, any_study=any_study)


def _volumes(series: Series) -> SeriesVolumes:
    """The volumes of a series, after all slices have been checked."""
    slices = series.slices
    _check_series(series)
    _check_slices(slices)
    check_consistent([image.plane for image in slices])
    return split_volumes(slices, dicom_pixels.pixel_hasher(slices))


def _check_series(series: Series) -> None:
    """Check that there are slices, all of one modality (CT or MR) and in one frame of reference."""
    slices = series.slices
    counts = modality_counts(slices or series.images)
    if not slices:
        raise ScanError(
            f"the series contains no image slices ({counts}); expected CT or MR slices. "
            "List the series with `rma-mamba series` and select another one."
        )
    found = {image.modality for image in slices}
    # a slice without FrameOfReferenceUID among slices with one belongs to another scan
    references = len({image.text("FrameOfReferenceUID") for image in slices})
    if references > 1 or len(found) > 1:
        several = f"{references} frames of reference" if references > 1 else "several modalities"
        raise ScanError(
            f"the series contains {several} (slices: {counts}); expected one. "
            "Put the slices to be segmented into a separate folder."
        )
    if not found <= SUPPORTED_MODALITIES:
        raise ScanError(
            f"the modality of the series is not supported (slices: {counts}); expected CT or MR. "
            "Pass a CT or MR series."
        )


def _check_slices(slices: Sequence[DicomImage]) -> None:
    """Check that every slice is one greyscale image with a position and a supported transfer syntax."""
    if any(image.frame is None and image.integer("NumberOfFrames") > 1 for image in slices):
        raise ScanError(
            "the series is a multi-frame object without a position for each frame; expected one file per "
            "slice, or an enhanced object. Export it as single-frame DICOM or convert it to NIfTI."
        )
    if any(
        image.integer("SamplesPerPixel") > 1
        or image.text("PhotometricInterpretation") == "PALETTE COLOR"
        for image in slices
    ):
        raise ScanError(
            "the slices are colour images; expected greyscale. Pass the original CT or MR series."
        )
    for keyword, count in PLANE_ELEMENTS.items():
        missing = sum(image.numbers(keyword, count) is None for image in slices)
        if missing:
            raise ScanError(
                f"{keyword} is missing or invalid in {missing} of {len(slices)} slices; expected it in each slice. "
                "Export the series again from the source system."
            )
    dicom_pixels.check_transfer_syntaxes(slices)


def _source_images(slices: Sequence[DicomImage], grid: SliceGrid) -> SourceImages:
    rows, columns = slices[0].plane.size
    images = tuple(
        SourceImage(
            image.text("SOPInstanceUID"),
            image.frame,
            cast("tuple[float, float, float]", image.position),
            image.file.open,
        )
        for image in slices
    )
    return SourceImages(images, (columns, rows), grid.offsets)


def _values(
    slices: Sequence[DicomImage], images: SourceImages, shape: tuple[int, int, int]
) -> tuple[npt.NDArray[Any], tuple[str, ...]]:
    """Values [i, j, k] of sorted slices on their grid, and warnings about corrections."""
    warnings: dict[str, None] = {}
    rescaled = dicom_pixels.rescaled_slices(slices, warnings)
    if not images.is_regular:
        fill = _AIR_FILL_HU if slices[0].modality == "CT" else _NO_SIGNAL
        return resample_slices(rescaled, images, shape, fill), tuple(warnings)
    decoded = list(rescaled)
    dtype = np.result_type(*{values.dtype for values in decoded})
    volume = np.empty(shape, dtype, order="F")
    for k in reversed(range(len(decoded))):
        volume[:, :, k] = decoded.pop()  # free each slice, so that the scan is in memory only once
    return volume, tuple(warnings)
