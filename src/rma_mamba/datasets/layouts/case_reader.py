"""The voxels of an entry, upright: columns to the left, rows to the back, slices to the head."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rma_mamba.datasets.cases import MASK_THRESHOLD, read_picture
from rma_mamba.datasets.layouts.index import IndexedCase
from rma_mamba.errors import GridError
from rma_mamba.scans import read_geometry, read_scan, slice_files
from rma_mamba.volume import Geometry, Volume

PIXEL_MM = 1.5  # of pictures, which say nothing of it


@dataclass(frozen=True, eq=False)
class Part:
    """A volume, or one picture as a volume of one slice, with its label's own grid and values.

    Args:
        image: Upright.
        label: Upright; None: there is none.
        orientation: In which the image is stored.
    """

    image: Volume
    label: Volume | None
    orientation: str


def read_parts(entry: IndexedCase) -> Iterator[Part]:
    """The volume of an entry, or its pictures one by one, from foot to head.

    Raises:
        ScanError, GridError: A file cannot be read, or masks are not one for each slice of a series.
    """
    if entry.kind == "volume":
        yield _volume(entry)
        return
    for image, label in zip(entry.images, entry.labels, strict=True):
        mask = None if label is None else _mask(label)
        yield Part(_picture(image), mask, "LPI")


def geometries(entry: IndexedCase) -> tuple[Geometry, ...]:
    """The upright grids of an entry's image from headers alone; of pictures nothing is known, and none given.

    Raises:
        ScanError, GridError: A header cannot be read.
    """
    if entry.kind == "slices":
        return ()
    return (upright_geometry(read_geometry(entry.images[0])),)


def upright(volume: Volume) -> Volume:
    """The same scan with axes i, j, k that run to the left, to the back and to the head: a view."""
    values = volume.geometry.canonical.apply(volume.values).transpose(2, 1, 0)
    geometry = upright_geometry(volume.geometry)
    return Volume(values, geometry, volume.modality, None, volume.warnings)


def upright_geometry(geometry: Geometry) -> Geometry:
    """The grid of the same voxels with axes that run to the left, to the back and to the head."""
    order = geometry.canonical
    affine = geometry.affine.copy()
    shape = []
    for axis, canonical in enumerate((2, 1, 0)):  # of slice, row, column
        stored = order.permutation[canonical]
        column, size = geometry.affine[:3, stored], geometry.shape[stored]
        flip = order.flips[canonical]
        affine[:3, axis] = -column if flip else column
        affine[:3, 3] += column * (size - 1) * flip
        shape.append(size)
    return Geometry((shape[0], shape[1], shape[2]), affine)


def _volume(entry: IndexedCase) -> Part:
    scan = read_scan(entry.images[0])
    scan = Volume(scan.values, scan.geometry, entry.modality or scan.modality, None, scan.warnings)
    masks = [path for path in entry.labels if path is not None]
    label = None
    if masks and masks[0].suffix.lower() == ".png":
        label = upright(_stacked(masks, entry.images[0], scan))
    elif masks:
        label = upright(read_scan(masks[0]))
    return Part(upright(scan), label, scan.geometry.orientation)


def _stacked(masks: list[Path], series: Path, scan: Volume) -> Volume:
    """Mask pictures of a series, on its grid: the n-th mask is of the n-th file by name."""
    files = slice_files(series)
    if len(files) != len(masks):
        raise GridError(
            f"the series has {len(files)} slices and {len(masks)} masks; expected one each. "
            "Unpack the dataset again."
        )
    by_name = dict(zip(sorted(files), masks, strict=True))
    pictures = [read_picture(by_name[file]).T for file in files]
    if {picture.shape for picture in pictures} != {scan.geometry.shape[:2]}:
        raise GridError(
            f"masks have {pictures[0].shape[0]} x {pictures[0].shape[1]} pixels, or several sizes; expected "
            f"{scan.geometry.shape[0]} x {scan.geometry.shape[1]}, as the slices. Unpack the dataset again."
        )
    return Volume(np.stack(pictures, axis=2), scan.geometry)


def _mask(path: Path) -> Volume:
    """A mask picture; JPG rings around its values, so that it can hold but two of them."""
    mask = _picture(path)
    if path.suffix.lower() == ".png":
        return mask
    values = np.where(mask.values > MASK_THRESHOLD, 255, 0).astype(np.uint8)
    return Volume(values, mask.geometry)


def _picture(path: Path) -> Volume:
    values = read_picture(path).T[:, :, None]
    affine = np.diag([-PIXEL_MM, -PIXEL_MM, 1.0, 1.0])  # to the left, to the back
    return Volume(values, Geometry(values.shape, affine))
