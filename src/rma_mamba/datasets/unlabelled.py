"""Cases of unlabelled scans of any format, for pretraining."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from rma_mamba.datasets.cache import Arrays, cached, fingerprint
from rma_mamba.datasets.canvas_arrays import on_canvas
from rma_mamba.datasets.cases import Case
from rma_mamba.errors import EnvironmentWarning, RmaMambaError, ScanError
from rma_mamba.files import file_sha256
from rma_mamba.folder_tree import as_text
from rma_mamba.scans import read_scan
from rma_mamba.scans.scan_files import scan_files
from rma_mamba.slicing import SliceRecipe, calibrated

SOURCE = "unlabelled"  # their source in records and messages


def unlabelled_cases(
    scans: Sequence[Path], recipe: SliceRecipe, cache: str | None
) -> list[tuple[Path, Case]]:
    """Each scan with its slices on the network's canvas and empty labels; numbered from 1 in the given order.

    A scan that cannot be read is left out, with a warning.

    Args:
        scans: Files or folders of scans.
        recipe: Preprocessing of the network.
        cache: Folder of the cache; see `cached`.
    """
    cases = []
    for number, scan in enumerate(scans, start=1):
        try:
            key = {
                "unlabelled": fingerprint(scan_files(scan)),
                "recipe": recipe.model_dump(mode="json"),
            }
            arrays = cached(cache, key, partial(_arrays, scan, recipe))
        except (RmaMambaError, OSError) as error:
            message = f"the scan {as_text(scan.name)} is left out: {error}"
            warnings.warn(message, EnvironmentWarning, stacklevel=2)
            continue
        images = arrays["images"]
        case = Case(
            *(SOURCE, str(number), images, np.zeros_like(images)),
            ordered=True,
            gap_mm=float(arrays["gap_mm"]),
            hounsfield=bool(arrays["hounsfield"]),
        )
        cases.append((scan, case))
    return cases


def unlabelled_manifest(scans: Sequence[tuple[Path, Case, str]]) -> list[dict[str, Any]]:
    """One record per scan, as in `data_manifest`; of a folder, the digest of its sorted file digests.

    Args:
        scans: File or folder, case and split of each scan.
    """
    return [
        {
            "source": case.source,
            "patient": case.patient,
            "split": split,
            "slices": len(case.images),
            "slices_with_liver": 0,
            "image_sha256": [_sha256(scan)],
            "label_sha256": [],
        }
        for scan, case, split in scans
    ]


def _arrays(scan: Path, recipe: SliceRecipe) -> Arrays:
    volume = calibrated(read_scan(scan))
    if min(volume.values.shape) == 0:
        raise ScanError("the scan has no voxels; expected slices. Remove it.")
    images, _ = on_canvas(volume, np.zeros(volume.values.shape, np.uint8), recipe)
    spacing = volume.geometry.spacing_mm[volume.geometry.canonical.permutation[0]]
    return {
        "images": images,
        "gap_mm": np.array(spacing),
        "hounsfield": np.array(volume.intensity_unit == "HU"),
    }


def _sha256(scan: Path) -> str:
    digests = sorted(file_sha256(path) for path in scan_files(scan))
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()
