"""Pictures as a scan: one PNG, JPEG, TIFF or BMP, a TIFF of several pages, or a folder with one a slice.

A picture knows neither millimetres nor the body: it is taken as an axial slice on a radiologist's screen (rows to
the back, columns to the patient's left), the first one lowest.
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
from rma_mamba.scans.checks import check_size, check_volume_number, plausibility_warnings
from rma_mamba.scans.dtypes import compact_values
from rma_mamba.scans.formats import image_files
from rma_mamba.volume import Geometry, Volume

# No slice is larger than a digitised film.
_MAX_PIXELS = 2**26

# JPEG stores grey as colour of which the channels differ by rounding.
_GREY_TOLERANCE = 12

_GREY_MODES = ("L", "1", "I;16", "I;16B", "I;16L", "I", "F")
_COLOUR_MODES = ("RGB", "RGBA", "P", "LA", "CMYK", "YCbCr")


def read(path: Path, frame: int | None, spacing_mm: tuple[float, ...] | None) -> Volume:
    """Read a picture or a folder of pictures as one stack of axial slices.

    Args:
        path: The picture, or the folder; its pictures count in the order of the numbers in their names.
        frame: None or 1: pictures hold one volume.
        spacing_mm: One number for all axes, or three: along a row, along a column, between slices.

    Raises:
        ScanError: A picture is damaged, in colour or too large, or the pictures differ in size.
        ConfigError: The spacing is not one or three positive numbers, or the frame is not 1.
    """
    check_volume_number(frame, 1)
    spacing, notes = _spacing(spacing_mm)
    files = sorted(image_files(path), key=_by_number) if path.is_dir() else [path]
    pictures = [picture for file in files for picture in _pages(file)]
    shapes = {picture.shape for picture in pictures}
    if len(shapes) > 1:
        found = ", ".join(f"{columns} x {rows}" for rows, columns in sorted(shapes)[:3])
        raise ScanError(
            f"the pictures have {len(shapes)} sizes ({found}); expected one. "
            "Put the slices of one scan into a folder of their own."
        )
    values = np.stack([picture.T for picture in pictures], axis=2)
    values, repairs = compact_values(np.asfortranarray(values), 1, 0)
    check_size(values.shape)
    i, j, k = values.shape
    affine = np.diag([-spacing[0], -spacing[1], spacing[2], 1.0])
    affine[:3, 3] = [spacing[0] * (i - 1) / 2, spacing[1] * (j - 1) / 2, 0]
    geometry = Geometry((i, j, k), affine)
    notes += ("Pictures do not say how they lie in the body: they were taken as axial slices.",)
    return Volume(
        values, geometry, None, None, (*notes, *repairs, *plausibility_warnings(values, geometry))
    )


def _spacing(given: tuple[float, ...] | None) -> tuple[tuple[float, ...], tuple[str, ...]]:
    if given is None:
        note = "Pictures have no spacing: 1 mm was taken, and volumes and sizes are wrong by that."
        return (1.0, 1.0, 1.0), (note,)
    if len(given) not in (1, 3) or not all(0 < number < 1e3 for number in given):
        raise ConfigError(
            f"the spacing is {', '.join(f'{number:g}' for number in given)} mm; expected one positive number, "
            "or three: along a row, along a column, between slices. Give these."
        )
    return (given * 3 if len(given) == 1 else given), ()


def _by_number(path: Path) -> list[tuple[int, str]]:
    """Slice 2 comes before slice 10."""
    parts = re.split(r"(\d+)", path.name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def _pages(path: Path) -> Iterator[npt.NDArray[Any]]:
    """The grey values [row, column] of each page of a picture file."""
    try:
        with warnings.catch_warnings(), path.open("rb") as file:
            warnings.simplefilter("ignore")
            picture = Image.open(file)
            _check_pixels(picture)
            for page in ImageSequence.Iterator(picture):
                _check_pixels(page)
                yield _grey(page)
    except (MemoryError, ScanError):
        raise
    except Exception as error:  # Pillow meets damaged files with exceptions of any type
        if isinstance(error, OSError) and error.errno:
            raise
        raise ScanError(
            "a picture is cut off, damaged or of an unknown kind; expected PNG, JPEG, TIFF or BMP. "
            "Export or copy it again."
        ) from error


def _check_pixels(picture: Image.Image) -> None:
    columns, rows = picture.size
    if rows * columns > _MAX_PIXELS:
        raise ScanError(
            f"a picture claims {columns} x {rows} pixels; expected a slice of at most {_MAX_PIXELS} in all. "
            "Give the slices of a scan."
        )


def _grey(picture: Image.Image) -> npt.NDArray[Any]:
    if picture.mode in _GREY_MODES:
        values = np.array(picture)
        return values.astype(np.uint8) * np.uint8(255) if values.dtype == bool else values
    if picture.mode not in _COLOUR_MODES:
        raise ScanError(
            f"a picture is of the kind {picture.mode}; expected grey values. Convert it to 8-bit grey."
        )
    colour = np.array(picture.convert("RGB")).astype(np.int16)
    if np.ptp(colour, axis=2).max() > _GREY_TOLERANCE:
        raise ScanError(
            "a picture is in colour; expected grey values. Give the slice itself, without overlays."
        )
    return np.array(picture.convert("RGB").convert("L"))
