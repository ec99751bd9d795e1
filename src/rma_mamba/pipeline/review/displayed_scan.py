"""A scan in the form that a viewer shows: one NIfTI file on the scan's own grid, and a description."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rma_mamba.pipeline.json_files import write_json_file
from rma_mamba.pipeline.provenance import voxels_sha256
from rma_mamba.scans import write_scan
from rma_mamba.volume import Volume

SCAN_FILE, DESCRIPTION_FILE = "scan.nii.gz", "scan.json"

_FAST = 1  # level of gzip: the file is read once, on the same machine
# Level and width of usual display windows in HU.
_WINDOWS_HU = {"Liver": (60, 160), "Soft tissue": (40, 400), "Bone": (400, 1800), "Lung": (-600, 1500)}  # fmt: skip


def write_displayed_scan(volume: Volume, folder: Path) -> dict[str, Any]:
    """Write `scan.nii.gz` and `scan.json` to a folder, and return the description.

    Raises:
        ScanError: A file cannot be written.
    """
    description = {**describe_scan(volume), "voxels_sha256": voxels_sha256(volume)}
    write_scan(volume, folder / SCAN_FILE, compression=_FAST)
    write_json_file(folder / DESCRIPTION_FILE, description, "description of the scan")
    return description


def describe_scan(volume: Volume) -> dict[str, Any]:
    """Grid, modality and display windows of a scan, without anything that identifies the patient."""
    from rma_mamba.reporting.display import DisplayedScan  # imports Pillow
    from rma_mamba.slicing import calibrated
    from rma_mamba.volume import Mask

    scan = calibrated(volume)
    shown = DisplayedScan(scan, Mask(_no_labels(volume), volume.geometry))
    offset = float(volume.values.flat[0]) - float(scan.values.flat[0])
    windows = _windows(shown.window, scan.intensity_unit == "HU", offset)
    return {
        "shape": list(volume.geometry.shape),
        "spacing_mm": [round(size, 6) for size in volume.geometry.spacing_mm],
        "orientation": volume.geometry.orientation,
        "header_modality": volume.modality,
        "modality": scan.modality,
        "unit": scan.intensity_unit,
        "is_dicom": volume.source_images is not None,
        "warnings": list(volume.warnings),
        "missing_slices": list(volume.missing_slices),
        "windows": list(windows),
    }


def _windows(
    first: tuple[float, float], is_hu: bool, offset: float
) -> Iterator[dict[str, float | str]]:
    """Display windows of the stored values, the default first."""
    yield {
        "name": "Abdomen" if is_hu else "Automatic",
        "min": first[0] + offset,
        "max": first[1] + offset,
    }
    if is_hu:
        for name, (level, width) in _WINDOWS_HU.items():
            low, high = level - width / 2, level + width / 2
            yield {"name": name, "min": low + offset, "max": high + offset}
        return
    low, high = first
    yield {"name": "Bright", "min": low, "max": low + (high - low) / 2}
    yield {"name": "Wide", "min": low, "max": high + (high - low) / 2}


def _no_labels(volume: Volume) -> Any:
    import numpy as np

    return np.broadcast_to(np.uint8(0), volume.geometry.shape)
