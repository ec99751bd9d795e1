"""Conversion of scans in all accepted forms to a `Volume`.

nibabel and SimpleITK images are recognised by their attributes, without importing either library.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rma_mamba.errors import ScanError
from rma_mamba.scans import read_scan, volume_from_memory
from rma_mamba.slicing import joined
from rma_mamba.slicing.aligned_scans import file_names
from rma_mamba.volume import Volume, affine_of_itk_image

# A Volume, a path, a nibabel or SimpleITK image, or an array [i, j, k] with its 4x4 affine (RAS+ mm); or several of
# them by the name of their channel.
Scan = Any


def as_volume(scan: Scan) -> Volume:
    """Convert a scan in any of the forms above to a volume.

    Raises:
        ScanError: The scan has none of these forms, or is not a 3-D volume of real numbers.
        GridError: The geometry is invalid, or the scans of a case are on different grids.
    """
    if isinstance(scan, Volume):
        return scan
    if isinstance(scan, Mapping):
        paths = {
            name: Path(each) for name, each in scan.items() if isinstance(each, str | os.PathLike)
        }
        return joined({name: as_volume(each) for name, each in scan.items()}, file_names(paths))
    if isinstance(scan, str | os.PathLike):
        return read_scan(Path(scan))
    if hasattr(scan, "dataobj") and hasattr(scan, "affine"):  # nibabel
        return volume_from_memory(scan)
    if hasattr(scan, "GetDirection") and hasattr(scan, "GetOrigin"):  # SimpleITK
        return volume_from_memory(*_from_itk(scan))
    if isinstance(scan, tuple | list) and len(scan) == 2:
        with suppress(TypeError, ValueError):  # text, or rows of different lengths
            array, affine = np.asanyarray(scan[0]), np.asarray(scan[1], np.float64)
            if affine.shape == (4, 4):
                return volume_from_memory(array, affine)
    raise ScanError(
        f"the scan is a {type(scan).__name__}; expected a path, a Volume, a nibabel or SimpleITK image, "
        "or an array with its 4x4 affine. Convert it to one of these."
    )


def _from_itk(image: Any) -> tuple[npt.NDArray[Any], npt.NDArray[np.float64]]:
    if image.GetDimension() != 3:
        raise ScanError(
            f"the SimpleITK image has {image.GetDimension()} axes; expected three. Pass one 3-D volume."
        )
    to_array = sys.modules[type(image).__module__.partition(".")[0]].GetArrayViewFromImage
    # a copy: the view would point to freed memory once the image is deleted
    return np.array(to_array(image)).transpose(), affine_of_itk_image(image)
