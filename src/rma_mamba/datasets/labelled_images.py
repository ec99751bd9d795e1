"""Images of a source together with their liver labels: volumes, and single slices from PNG or JPEG files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rma_mamba.datasets.config import SourceConfig
from rma_mamba.datasets.source_files import SourceFiles
from rma_mamba.errors import GridError, ScanError
from rma_mamba.folder_tree import as_text
from rma_mamba.label_scheme import LabelScheme
from rma_mamba.labels import LabelRule, check_whole, liver_in_grey_levels
from rma_mamba.scans import read_scan
from rma_mamba.slicing import joined
from rma_mamba.slicing.aligned_scans import file_names
from rma_mamba.slicing.calibration import CalibratedVolume
from rma_mamba.volume import Geometry, Volume

Grey = npt.NDArray[np.uint8]


def read_volume(files: SourceFiles, source: SourceConfig, image: Path) -> tuple[Volume, Grey]:
    """A volume, and its labels on the same grid: bit n is set where class n of the recipe's `labels` is; with the liver
    alone, 1 where it is.

    Raises:
        ConfigError: There is no label.
        GridError: The label is on another grid.
        ScanError: A file cannot be read, or the label contains values that are not label values.
    """
    volume, values = read_label_values(files, source, image)
    return volume, class_bits(source, values, files.config.recipe.labels)


def read_label_values(
    files: SourceFiles, source: SourceConfig, image: Path
) -> tuple[Volume, npt.NDArray[Any]]:
    """A volume, and the values of all labels on its grid; errors as in `read_volume`."""
    volume, label = _read_scans(files, source, image), read_scan(files.label(source, image))
    if not label.geometry.matches(volume.geometry):
        raise GridError(
            f"source {source.name}: a label of {_size(label.geometry)} voxels is on a different grid than its image "
            f"of {_size(volume.geometry)} voxels; expected the same grid. Resample the label."
        )
    if volume.channels:
        volume = joined({name: _as_stated(each, source) for name, each in volume.channels.items()})
    else:
        volume = _as_stated(volume, source)
    return volume, label.values


def _read_scans(files: SourceFiles, source: SourceConfig, image: Path) -> Volume:
    """The image; with several channels, all scans of its case."""
    channels = files.channels(source, image)
    if not channels:
        return read_scan(image)
    scans = {name: read_scan(path) for name, path in channels.items()}
    try:
        return joined(scans, file_names(channels), resample=source.resample)
    except GridError as error:
        raise GridError(f"source {source.name}: {error}") from error


def _as_stated(volume: Volume, source: SourceConfig) -> Volume:
    """A scan with the modality and window that its source states."""
    volume = Volume(volume.values, volume.geometry, source.modality or volume.modality)
    return restore_window(volume, source)


def restore_window(volume: Volume, source: SourceConfig) -> Volume:
    """The volume with the Hounsfield units of its grey levels restored, if the source states its window."""
    if source.window_hu is None:
        return volume
    low, high = source.window_hu
    values = volume.values.astype(np.float32) * ((high - low) / 255) + low
    return CalibratedVolume(values, volume.geometry, "CT", intensity_unit="HU")


def class_bits(source: SourceConfig, values: npt.NDArray[Any], scheme: LabelScheme) -> Grey:
    """Label values of a source as bits: bit n is set where class n is; with the liver alone, 1 where it is.

    Raises:
        ScanError: The values are not label values; or there are several classes, the source does not name their
            values, and others occur.
    """
    classes = source.class_values(scheme)
    try:
        if scheme.is_liver_only:
            return LabelRule(frozenset(classes[scheme.names[0]])).liver_in(values)
        check_whole(values)
        whole = values if values.dtype.kind in "iub" else np.rint(values)
        if not source.classes:
            _check_known(whole, scheme)
        return scheme.join([np.isin(whole, classes[name]) for name in scheme.names])
    except ScanError as error:
        raise ScanError(f"source {source.name}: {error}") from error


def _check_known(whole: npt.NDArray[Any], scheme: LabelScheme) -> None:
    found = np.unique(whole)
    unknown = found[(found < 0) | (found > len(scheme))]
    if unknown.size:
        expected = ", ".join(f"{number} {name}" for number, name in enumerate(scheme.names, 1))
        raise ScanError(
            f"a label contains the value {unknown[0]:g}; expected 0 (background), {expected}. Correct the label, or "
            "state the values of each class in `classes` of the source."
        )


def read_slice(files: SourceFiles, source: SourceConfig, image: Path) -> tuple[Volume, Grey]:
    """A PNG or JPEG slice as a volume of one slice, with all its channels if the source has several, and its labels as
    in `read_volume`.

    Raises:
        ConfigError: There is no label.
        GridError: The label or a channel has a different size.
        ScanError: A file cannot be read; or there are several classes, and the label is not PNG or contains unknown
            values.
    """
    paths = files.channels(source, image)
    greys = {
        name: np.rot90(read_grey_image(path), source.quarter_turns)
        for name, path in (paths or {"": image}).items()
    }
    try:
        check_same_size(greys, file_names(paths))
    except GridError as error:
        raise GridError(f"source {source.name}: {error}") from error
    grey = next(iter(greys.values()))
    label = files.label(source, image)
    mask = np.rot90(read_grey_image(label), source.quarter_turns)
    if grey.shape != mask.shape:
        raise GridError(
            f"source {source.name}: a slice of {grey.shape[1]} x {grey.shape[0]} pixels has a mask of "
            f"{mask.shape[1]} x {mask.shape[0]} pixels; expected the same size. Export both again."
        )
    bits = _slice_bits(source, mask, label, files.config.recipe.labels)
    if source.mirrored_at_random and _is_mirrored(grey, bits):
        greys, bits = {name: each[:, ::-1] for name, each in greys.items()}, bits[:, ::-1]
    slices = {
        name: restore_window(slice_volume(each, source.pixel_mm), source)
        for name, each in greys.items()
    }
    return (joined(slices) if paths else slices[""]), bits.T[:, :, None]


def check_same_size(greys: Mapping[str, Grey], files: Mapping[str, str]) -> None:
    """Check that the channels of a slice have one size, because files of slices state no positions.

    Args:
        greys: Grey levels of each channel.
        files: Its file name.

    Raises:
        GridError: They have not.
    """
    (first, one), *others = greys.items()
    for name, other in others:
        if other.shape != one.shape:
            sizes = [f"{each.shape[1]} x {each.shape[0]} pixels" for each in (one, other)]
            raise GridError(
                f"{first} ({files[first]}) has {sizes[0]} and {name} ({files[name]}) has {sizes[1]}; expected the same "
                "size of all channels of a slice. Export both again."
            )


def _slice_bits(source: SourceConfig, mask: Grey, path: Path, scheme: LabelScheme) -> Grey:
    """Bits of a mask image: brightness for the liver alone, label values for several classes."""
    if scheme.is_liver_only and not source.classes:
        return liver_in_grey_levels(mask)
    if path.suffix.lower() != ".png":
        raise ScanError(
            f"source {source.name}: a label is a {path.suffix} file, whose values are not exact; expected PNG for "
            "labels of several classes. Export the labels as PNG."
        )
    return class_bits(source, mask, scheme)


def stacked(images: Sequence[Volume], slice_mm: float) -> Volume:
    """Single slices of one patient as a volume, inferior to superior, with their channels.

    Args:
        images: Slices as `read_slice` returns them.
        slice_mm: Slice spacing.

    Raises:
        GridError: The slices have different sizes or channels.
    """
    first = images[0]
    if first.channels:
        if any([*each.channels] != [*first.channels] for each in images):
            raise GridError(
                "the slices of a patient have different channels; expected the same in all. Add the missing files, or "
                "remove the channel of this patient."
            )
        parts = {
            name: stacked([each.channels[name] for each in images], slice_mm)
            for name in first.channels
        }
        return joined(parts)
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
