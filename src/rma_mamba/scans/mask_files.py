"""Whether a file is a mask or a map computed from a scan: by its header, or because it has two values."""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from rma_mamba.errors import RmaMambaError
from rma_mamba.scans.formats import detect_format
from rma_mamba.scans.itk_headers import read_header as read_itk_header
from rma_mamba.scans.itk_voxels import voxel_blocks
from rma_mamba.scans.nifti_header import (
    data_type,
    has_separate_image,
    header_and_image_files,
    image_offset,
    parse_header,
    read_header,
    volume_shape,
)
from rma_mamba.scans.stream import open_stream, read_exactly, skip

# NIfTI intents of masks, and of maps such as probabilities (nifti1.h).
INTENT_ESTIMATE, INTENT_LABEL = 1001, 1002

# Foreground of masks: 1, or 255 in files made from images. A scan may have two values, but hardly these.
_FOREGROUND = (1, 255)
_FIRST_BYTES, _CHUNK_BYTES = 2**16, 2**22


def is_mask_file(path: Path) -> bool:
    """Whether a file is a mask or map: by the intent in a NIfTI header, a segmentation of 3D Slicer, or 0 and 1 only.

    Voxels are read only as far as needed: a scan is recognised by its first ones.
    """
    try:
        file_format = detect_format(path)
        if file_format == "itk":
            header = read_itk_header(path)
            return "segment0_id" in header.remarks or _are_mask_values(voxel_blocks(header))
        return file_format == "nifti" and _is_nifti_mask(path)
    except (RmaMambaError, OSError, EOFError, gzip.BadGzipFile, zlib.error):
        return False  # the reader reports what is wrong


@np.errstate(invalid="ignore")
def _is_nifti_mask(path: Path) -> bool:
    if int(read_header(path)["intent_code"]) in (INTENT_ESTIMATE, INTENT_LABEL):
        return True
    header_path, image_path = header_and_image_files(path)
    with open_stream(header_path) as file:
        header = parse_header(file, is_pair=image_path != header_path)
        shape, volumes = volume_shape(header)
        dtype, position = data_type(header), int(header["sizeof_hdr"])
        size = math.prod(shape) * volumes * dtype.itemsize
        if not has_separate_image(header):
            skip(file, image_offset(header, position) - position)
            return _are_mask_values(_blocks(file, size, dtype))
    with open_stream(image_path) as file:
        skip(file, image_offset(header, 0))
        return _are_mask_values(_blocks(file, size, dtype))


def _blocks(file: BinaryIO, size: int, dtype: np.dtype[Any]) -> Iterator[np.ndarray[Any, Any]]:
    count = _FIRST_BYTES
    while size > 0:
        voxels = read_exactly(file, min(count, size)).view(dtype)
        yield voxels
        size, count = size - voxels.nbytes, _CHUNK_BYTES


def _are_mask_values(blocks: Iterable[np.ndarray[Any, Any]]) -> bool:
    """Whether voxels are 0 and one foreground value."""
    foreground = 0.0
    for voxels in blocks:
        highest = float(voxels.max())
        foreground = foreground or highest
        if highest not in (0, foreground) or foreground not in (0, *_FOREGROUND):
            return False
        if not np.all((voxels == 0) | (voxels == foreground)):
            return False
    return foreground > 0
