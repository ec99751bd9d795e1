"""Image files as a scan: a PNG, JPEG, TIFF or BMP file, a multi-page TIFF, or a folder with one image per slice.

Image files contain neither spacing nor orientation. They are read as axial slices in radiological display (rows
anterior to posterior, columns from the patient's right to the left), the most inferior slice first.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageSequence

from rma_mamba.errors import ConfigError, ScanError
from rma_mamba.folder_tree import leads_nowhere
from rma_mamba.scans.checks import check_size, check_volume_number, plausibility_warnings
from rma_mamba.scans.dtypes import compact_values
from rma_mamba.scans.formats import image_files
from rma_mamba.volume import Geometry, Volume

# Larger than any digitised film.
_MAX_PIXELS = 2**26

# Greyscale stored as colour JPEG: the channels differ by rounding.
_GREY_TOLERANCE = 12

_GREY_MODES = ("L", "1", "I;16", "I;16B", "I;16L", "I", "F")
_COLOUR_MODES = ("RGB", "RGBA", "P", "LA", "CMYK", "YCbCr")

_NO_SPACING = (
    "Image files have no voxel spacing: 1 mm was assumed, so volumes and sizes are not reliable."
)
_NO_ORIENTATION = "Image files have no orientation: they were read as axial slices."


def read(path: Path, volume: int | None, spacing_mm: tuple[float, ...] | None) -> Volume:
    """Read an image file or a folder of image files as one stack of axial slices.

    Args:
        path: The image, or the folder; its images are sorted by the numbers in their names.
        volume: None or 1: image files contain one volume.
        spacing_mm: One number for all axes, or three: along a row, along a column, between slices.

    Raises:
        ScanError: An image is corrupt, in colour or too large, or the images differ in size.
        ConfigError: The spacing is not one or three positive numbers, or the volume is not 1.
    """
    check_volume_number(volume, 1)
    spacing, spacing_warnings = _spacing(spacing_mm)
    found = sorted(image_files(path), key=_natural_order) if path.is_dir() else [path]
    files = [file for file in found if not leads_nowhere(file)]
    missing = _missing_warning(len(found) - len(files), len(files))
    slices = [page for file in files for page in _pages(file)]
    shapes = {page.shape for page in slices}
    if len(shapes) > 1:
        sizes = ", ".join(f"{columns} x {rows}" for rows, columns in sorted(shapes)[:3])
        raise ScanError(
            f"the images have {len(shapes)} sizes ({sizes}); expected one size. "
            "Put the slices of each scan into a separate folder."
        )
    values = np.stack([page.T for page in slices], axis=2)
    values, repairs = compact_values(np.asfortranarray(values), 1, 0)
    check_size(values.shape)
    i, j, k = values.shape
    affine = np.diag([-spacing[0], -spacing[1], spacing[2], 1.0])
    affine[:3, 3] = [spacing[0] * (i - 1) / 2, spacing[1] * (j - 1) / 2, 0]
    geometry = Geometry((i, j, k), affine)
    notes = (
        *missing,
        *spacing_warnings,
        _NO_ORIENTATION,
        *repairs,
        *plausibility_warnings(values, geometry),
    )
    return Volume(values, geometry, warnings=notes)


def _missing_warning(missing: int, existing: int) -> tuple[str, ...]:
    """A warning about links that lead nowhere.

    Raises:
        ScanError: No image is left.
    """
    if not missing:
        return ()
    links = "1 link leads" if missing == 1 else f"{missing} links lead"
    if not existing:
        raise ScanError(
            f"{links} nowhere, and there is no other image; expected the images of a scan. "
            "Download or copy the files that the links stand for."
        )
    return (f"{links} nowhere: slices are missing, and those beyond them are displaced.",)


def _spacing(spacing_mm: tuple[float, ...] | None) -> tuple[tuple[float, ...], tuple[str, ...]]:
    if spacing_mm is None:
        return (1.0, 1.0, 1.0), (_NO_SPACING,)
    if len(spacing_mm) not in (1, 3) or not all(0 < number < 1e3 for number in spacing_mm):
        raise ConfigError(
            f"the voxel spacing is {', '.join(f'{number:g}' for number in spacing_mm)} mm; expected one positive "
            "number, or three: along a row, along a column, between slices. Correct the spacing."
        )
    return (spacing_mm * 3 if len(spacing_mm) == 1 else spacing_mm), ()


def _natural_order(path: Path) -> list[tuple[int, str]]:
    """Sort key that puts slice 2 before slice 10."""
    parts = re.split(r"(\d+)", path.name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def _pages(path: Path) -> Iterator[npt.NDArray[Any]]:
    """The grey levels [row, column] of each page of an image file."""
    try:
        with warnings.catch_warnings(), path.open("rb") as file:
            warnings.simplefilter("ignore")
            image = Image.open(file)
            _check_pixel_count(image)
            for page in ImageSequence.Iterator(image):
                _check_pixel_count(page)
                yield _grey_levels(page)
    except (MemoryError, ScanError):
        raise
    except Exception as error:  # Pillow raises exceptions of any type for corrupt files
        if isinstance(error, OSError) and error.errno:
            raise
        raise ScanError(
            "an image file is truncated, corrupt or of an unknown type; expected PNG, JPEG, TIFF or BMP. "
            "Export or copy it again."
        ) from error


def _check_pixel_count(image: Image.Image) -> None:
    columns, rows = image.size
    if rows * columns > _MAX_PIXELS:
        raise ScanError(
            f"an image declares {columns} x {rows} pixels; expected at most {_MAX_PIXELS} in total. "
            "Pass the slices of a scan."
        )


def _grey_levels(image: Image.Image) -> npt.NDArray[Any]:
    if image.mode in _GREY_MODES:
        values = np.array(image)
        return values.astype(np.uint8) * np.uint8(255) if values.dtype == bool else values
    if image.mode not in _COLOUR_MODES:
        raise ScanError(
            f"an image has the pixel format {image.mode}; expected greyscale. "
            "Convert it to 8-bit greyscale."
        )
    colour = np.array(image.convert("RGB")).astype(np.int16)
    if np.ptp(colour, axis=2).max() > _GREY_TOLERANCE:
        raise ScanError(
            "an image is in colour; expected greyscale. Pass the original slice without overlays."
        )
    return np.array(image.convert("RGB").convert("L"))
