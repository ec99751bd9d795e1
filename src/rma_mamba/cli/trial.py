"""One trial of the whole path on a synthetic scan: file, volume, network, mask, file, picture."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from rma_mamba.datasets.phantom import make_phantom
from rma_mamba.files import replace_file
from rma_mamba.reporting import write_preview
from rma_mamba.scans import read_scan, write_mask

if TYPE_CHECKING:
    from rma_mamba.inference import Segmenter
    from rma_mamba.volume import Volume


def run_trial(
    segmenter: Segmenter,
    contrast: Literal["mr_t2", "ct"],
    seed: int,
    folder: Path,
    progress: Callable[[int, int], None],
) -> tuple[float, float]:
    """True and measured liver volume of a phantom in mL; its files are left in `folder`."""
    phantom = make_phantom(seed, contrast=contrast)
    path = folder / f"{contrast}.nii.gz"
    write_scan(phantom.volume, path)
    volume = read_scan(path)
    result = segmenter(volume, progress=progress)
    write_mask(result.mask, folder / f"{contrast}_liver.nii.gz")
    shown = replace(volume, modality=result.modality)
    write_preview(shown, result.mask, folder / f"{contrast}_preview.png")
    return phantom.mask.volume_ml, result.mask.volume_ml


def write_scan(volume: Volume, path: Path) -> None:
    """Write a scan as NIfTI-1, int16, gzip: just enough of the format for the phantom.

    Raises:
        ScanError: The file cannot be written.
    """
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)  # sizeof_hdr
    struct.pack_into("<8h", header, 40, 3, *volume.geometry.shape, 1, 1, 1, 1)  # dim
    struct.pack_into("<2h", header, 70, 4, 16)  # datatype int16, bitpix
    struct.pack_into("<4f", header, 76, 1.0, *volume.geometry.spacing_mm)  # pixdim
    struct.pack_into("<3f", header, 108, 352.0, 1.0, 0.0)  # vox_offset, scl_slope, scl_inter
    header[123] = 2  # xyzt_units: mm
    struct.pack_into("<h", header, 254, 1)  # sform_code: scanner
    struct.pack_into("<12f", header, 280, *volume.geometry.affine[:3].ravel())  # srow_x, y, z
    header[344:348] = b"n+1\0"
    values = np.rint(volume.values).astype("<i2").tobytes(order="F")
    # Fast compression, and no time stamp: equal phantoms give equal files.
    replace_file(path, gzip.compress(bytes(header) + values, compresslevel=3, mtime=0), "scan")
