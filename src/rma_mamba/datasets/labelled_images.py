"""Images of a source together with their liver labels: volumes, and single slices from PNG or JPEG files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rma_mamba.datasets.config import SourceConfig
from rma_mamba.datasets.source_files import SourceFiles
from rma_mamba.errors import GridError, ScanError
from rma_mamba.folder_tree import as_text
from rma_mamba.labels import LabelRule, liver_in_grey_levels
from rma_mamba.scans import read_scan
from rma_mamba.slicing.calibration import CalibratedVolume
from rma_mamba.volume import Geometry, Volume

Grey = npt.NDArray[np.uint8]


def read_volume(files: SourceFiles, source: SourceConfig, image: Path) -> tuple[Volume, Grey]:
    """A volume, and its labels on the same grid: 1 where the liver is.

    Raises:
        ConfigError: There is no label.
        GridError: The label is on another grid.
        ScanError: A file cannot be read, or the label contains values that are not label values.
    """
    volume, values = read_label_values(files, source, image)
    return volume, liver_labels(source, values)


def read_label_values(
    files: SourceFiles, source: SourceConfig, image: Path
) -> tuple[Volume, npt.NDArray[Any]]:
    """A volume, and the values of all labels on its grid; errors as in `read_volume`."""
    volume, label = read_scan(image), read_scan(files.label(source, image))
    if not label.geometry.matches(volume.geometry):
        raise GridError(
            f"source {source.name}: a label of {_size(label.geometry)} voxels is on a different grid than its image "
            f"of {_size(volume.geometry)} voxels; expected the same grid. Resample the label."
        )
    volume = Volume(volume.values, volume.geometry, source.modality or volume.modality)
    return restore_window(volume, source), label.values


def restore_window(volume: Volume, source: SourceConfig) -> Volume:
    """The volume with the Hounsfield units of its grey levels restored, if the source states its window."""
    if source.window_hu is None:
        return volume
    low, high = source.window_hu
    values = volume.values.astype(np.float32) * ((high - low) / 255) + low
    return CalibratedVolume(values, volume.geometry, "CT", intensity_unit="HU")


def liver_labels(source: SourceConfig, values: npt.NDArray[Any]) -> Grey:
    """1 where a label is liver.

    Raises:
        ScanError: The values are not label values.
    """
    try:
        return LabelRule(frozenset(source.liver)).liver_in(values)
    except ScanError as error:
        raise ScanError(f"source {source.name}: {error}") from error


def read_slice(files: SourceFiles, source: SourceConfig, image: Path) -> tuple[Volume, Grey]:
    """A PNG or JPEG slice as a volume of one slice, and its labels: 1 where the liver is.

    Raises:
        ConfigError: There is no label.
        GridError: The label has a different size.
        ScanError: A file cannot be read.
    """
    grey = np.rot90(read_grey_image(image), source.quarter_turns)
    mask = np.rot90(read_grey_image(files.label(source, image)), source.quarter_turns)
    if grey.shape != mask.shape:
        raise GridError(
            f"source {source.name}: a slice of {grey.shape[1]} x {grey.shape[0]} pixels has a mask of "
            f"{mask.shape[1]} x {mask.shape[0]} pixels; expected the same size. Export both again."
        )
    liver = liver_in_grey_levels(mask)
    if source.mirrored_at_random and _is_mirrored(grey, liver):
        grey, liver = grey[:, ::-1], liver[:, ::-1]
    return restore_window(slice_volume(grey, source.pixel_mm), source), liver.T[:, :, None]


def stacked(images: Sequence[Volume], slice_mm: float) -> Volume:
    """Single slices of one patient as a volume, inferior to superior.

    Args:
        images: Slices as `read_slice` returns them.
        slice_mm: Slice spacing.

    Raises:
        GridError: The slices have different sizes.
    """
    first = images[0]
    if {each.values.shape for each in images} != {first.values.shape}:
        raise GridError(
            "the slices of a patient have different sizes; expected one size. Set ordered = false for this source."
        )
    values = np.concatenate([each.values for each in images], axis=2)
    affine = first.geometry.affine.copy()
    affine[2, 2] = slice_mm
    return replace(first, values=values, geometry=Geometry(values.shape, affine))


def slice_volume(grey: Grey, pixel_mm: float) -> Volume:
    """Grey levels [row, column] in radiological orientation as a volume of one slice, with i to the left and j
    posterior."""
    values = grey.T[:, :, None]
    return Volume(values, Geometry(values.shape, np.diag([-pixel_mm, -pixel_mm, 1.0, 1.0])))


def read_grey_image(path: Path) -> Grey:
    """Grey levels [row, column] of an 8-bit PNG or JPEG file.

    Raises:
        ScanError: The file cannot be read, is a colour image or has more than 8 bits.
    """
    try:
        values = read_scan(path).values
    except ScanError as error:
        raise ScanError(f"{as_text(path.name)} cannot be read: {error}") from error
    if values.dtype != np.uint8:
        raise ScanError(
            f"{as_text(path.name)} is a {values.dtype} image; expected 8-bit grey levels. Convert it to 8 bits."
        )
    grey: Grey = values[:, :, 0].T
    return grey


def _is_mirrored(grey: Grey, liver: Grey) -> bool:
    """Whether the liver is on the patient's left: in the right half of the body, as slices are displayed."""
    liver_columns, body_columns = (
        np.nonzero(each)[1] for each in (liver, grey > 0.15 * grey.max())
    )
    return liver_columns.size > 0 and bool(liver_columns.mean() > body_columns.mean())


def _size(geometry: Geometry) -> str:
    return " x ".join(map(str, geometry.shape))
