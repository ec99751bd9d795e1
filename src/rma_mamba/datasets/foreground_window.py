"""A HU window from the intensities of a dataset's labelled voxels, as nnU-Net computes it."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from rma_mamba.datasets.cache import Arrays, cached, fingerprint
from rma_mamba.datasets.canvas_arrays import scans_of
from rma_mamba.datasets.config import SourceConfig
from rma_mamba.datasets.labelled_images import read_slice, read_volume
from rma_mamba.datasets.source_files import SourceFiles
from rma_mamba.errors import ConfigError
from rma_mamba.slicing import calibrated

_PERCENTILES = (0.5, 99.5)  # nnU-Net clips CT to these (10.1038/s41592-020-01008-z)
_LOWEST_HU, _HIGHEST_HU = -1024, 3071  # of 12-bit CT


def foreground_window_hu(files: SourceFiles) -> tuple[float, float]:
    """The 0.5 and 99.5 percentiles of the labelled voxels of all CT for training, in whole HU.

    Every patient counts the same, whatever the number of voxels.

    Raises:
        ConfigError: No CT in Hounsfield units has labelled voxels.
        ScanError, GridError: As in `read_cases`.
    """
    total = np.zeros(_HIGHEST_HU - _LOWEST_HU + 1)
    for source in files.config.sources:
        for paths in files.images(source, "train").values():
            labels = [files.label(source, path) for path in paths]
            key = {
                "foreground_hu": fingerprint([*files.files_of(source, paths), *labels]),
                "source": source.model_dump(mode="json", exclude={"name", "weight", "group"}),
            }
            make = partial(_histogram, files, source, paths)
            counts = cached(files.config.cache, key, make)["counts"]
            total += counts / max(1, counts.sum())
    if not total.any():
        raise ConfigError(
            "data.foreground_window is set, but no labelled voxel of the training data is in Hounsfield units; "
            "expected CT volumes, or CT slices with window_hu. Remove the setting."
        )
    share = np.cumsum(total) / total.sum()
    low, high = (int(np.searchsorted(share, each / 100)) + _LOWEST_HU for each in _PERCENTILES)
    return float(low), float(max(high, low + 1))


def _histogram(files: SourceFiles, source: SourceConfig, paths: list[Any]) -> Arrays:
    """Number of labelled voxels of each HU of one patient; all zero if the intensities are not Hounsfield units."""
    read = read_volume if source.kind == "volumes" else read_slice
    counts: npt.NDArray[np.int64] = np.zeros(_HIGHEST_HU - _LOWEST_HU + 1, np.int64)
    for path in paths:
        volume, labels = read(files, source, path)
        for scan in scans_of(calibrated(volume)):
            if scan.intensity_unit == "HU":
                values = np.rint(scan.values[labels > 0]).clip(_LOWEST_HU, _HIGHEST_HU)
                counts += np.bincount(values.astype(np.int64) - _LOWEST_HU, minlength=len(counts))
    return {"counts": counts}
