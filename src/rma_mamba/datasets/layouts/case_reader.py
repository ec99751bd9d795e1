"""Voxels of an indexed case: images and labels in LPS order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rma_mamba.datasets.labelled_images import check_same_size, read_grey_image, slice_volume
from rma_mamba.datasets.layouts.index import IndexedCase
from rma_mamba.datasets.layouts.lps import lps_geometry, to_lps
from rma_mamba.errors import GridError
from rma_mamba.labels import LabelRule, is_brightness, liver_in_grey_levels
from rma_mamba.scans import read_geometry, read_scan, slice_files
from rma_mamba.slicing import joined
from rma_mamba.slicing.aligned_scans import file_names
from rma_mamba.volume import Geometry, Volume

PIXEL_MM = 1.5  # assumed for PNG and JPEG slices, which do not state their pixel size


@dataclass(frozen=True, eq=False)
class LabelledImage:
    """A volume, or a single slice as a volume of one slice, with its label.

    Args:
        image: In LPS order.
        label: Label values on the label's own grid, in LPS order; None: there is no label.
        orientation: Axis codes of the stored image, such as "RAS".
    """

    image: Volume
    label: Volume | None
    orientation: str


def read_images(case: IndexedCase) -> Iterator[LabelledImage]:
    """The volume of a case, or its slices one by one, from inferior to superior.

    Raises:
        ScanError, GridError: A file cannot be read, or the number of masks differs from the number of slices.
    """
    if case.kind == "volume":
        yield _volume(case)
        return
    channels = case.slice_channels or ({},) * len(case.images)
    for image, label, paths in zip(case.images, case.labels, channels, strict=True):
        scan = _slice_with_channels(paths) if paths else _slice(image)
        yield LabelledImage(scan, None if label is None else _mask(label, case.rule), "LPI")


def read_geometries(case: IndexedCase) -> tuple[Geometry, ...]:
    """The LPS grid of a case, from the header alone; empty for slices, which have no header.

    Raises:
        ScanError, GridError: The header cannot be read.
    """
    if case.kind == "slices":
        return ()
    return (lps_geometry(read_geometry(case.images[0])),)


def _volume(case: IndexedCase) -> LabelledImage:
    scan = _scan(case)
    masks = [path for path in case.labels if path is not None]
    label = None
    if masks and masks[0].suffix.lower() == ".png":
        label = to_lps(_series_masks(masks, case.images[0], scan))
    elif masks:
        label = to_lps(read_scan(masks[0]))
    return LabelledImage(to_lps(scan), label, scan.geometry.orientation)


def _scan(case: IndexedCase) -> Volume:
    """The scan of a case; of several channels, the first with all of them."""
    if not case.channels:
        return _read(case.images[0], case)
    scans = {name: _read(path, case) for name, path in case.channels.items()}
    return joined(scans, file_names(case.channels), resample=case.resample)


def _read(path: Path, case: IndexedCase) -> Volume:
    scan = read_scan(path)
    return Volume(scan.values, scan.geometry, case.modality or scan.modality, None, scan.warnings)


def _series_masks(masks: list[Path], series: Path, scan: Volume) -> Volume:
    """Mask images of a DICOM series on its grid: the n-th mask belongs to the n-th file by name."""
    files = slice_files(series)
    if len(files) != len(masks):
        raise GridError(
            f"the series has {len(files)} slices and {len(masks)} masks; expected one mask per slice. "
            "Unpack the dataset again."
        )
    by_name = dict(zip(sorted(files), masks, strict=True))
    planes = [read_grey_image(by_name[file]).T for file in files]
    if {plane.shape for plane in planes} != {scan.geometry.shape[:2]}:
        raise GridError(
            f"the masks have {planes[0].shape[0]} x {planes[0].shape[1]} pixels, or several sizes; expected "
            f"{scan.geometry.shape[0]} x {scan.geometry.shape[1]} pixels like the slices. Unpack the dataset again."
        )
    return Volume(np.stack(planes, axis=2), scan.geometry)


def _mask(path: Path, rule: LabelRule) -> Volume:
    """A mask image; masks that encode one structure as brightness are thresholded to 0 and 255, as in training."""
    grey = read_grey_image(path)
    is_lossy = path.suffix.lower() != ".png"
    if is_lossy or (rule.is_single_structure and is_brightness(grey)):
        grey = liver_in_grey_levels(grey) * np.uint8(255)
    return slice_volume(grey, PIXEL_MM)


def _slice(path: Path) -> Volume:
    return slice_volume(read_grey_image(path), PIXEL_MM)


def _slice_with_channels(paths: Mapping[str, Path]) -> Volume:
    greys = {name: read_grey_image(path) for name, path in paths.items()}
    check_same_size(greys, file_names(paths))
    return joined({name: slice_volume(grey, PIXEL_MM) for name, grey in greys.items()})
