"""Masks that a viewer sends: read, and checked to be on the grid of the scan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydantic

from rma_mamba.errors import GridError, ScanError
from rma_mamba.label_scheme import LabelScheme
from rma_mamba.labels import liver_in
from rma_mamba.pipeline.review.case_status import run_of_case
from rma_mamba.pipeline.review.mask_versions import MASK_FILE, MaskVersion, MaskVersions
from rma_mamba.scans import read_geometry, read_scan
from rma_mamba.volume import ClassMap, Geometry, Mask, Volume


def read_version(case: Path, path: Path, version: MaskVersion | None = None) -> Mask:
    """The mask in a file of a case, with the grid header of the file. `version` as in `run_of_case`.

    Raises:
        ScanError, GridError: The file cannot be read.
    """
    return _as_mask(scheme_of_case(case, version), read_scan(path))


def read_sent_mask(
    case: Path, path: Path, grid: Volume, version: MaskVersion | None = None
) -> Mask:
    """A mask that a viewer sent, with the header of the scan.

    The grid is checked before the voxels are read, so that a small file that would become a huge array is rejected.

    Args:
        case: The folder of the case.
        path: The file that was sent.
        grid: A mask or scan on the grid of the scan, with its header.
        version: The version that was changed; None: the newest one.

    Raises:
        GridError: The mask is on another grid.
        ScanError: The file cannot be read, or does not contain labels.
    """
    _check_grid(read_geometry(path), grid.geometry)
    sent = read_scan(path)
    same = replace(sent, geometry=grid.geometry, header=grid.header)
    return _as_mask(scheme_of_case(case, version), same)


def grid_of(case: Path, shown: Path, version: MaskVersion | None = None) -> Volume:
    """The grid of a case's scan with its header: that of a version (None: the newest), else of the scan as shown."""
    versions = MaskVersions(case)
    base = version or versions.newest
    return read_scan(versions.path(base.version) / MASK_FILE if base else shown)


def scheme_of_case(case: Path, version: MaskVersion | None = None) -> LabelScheme:
    """The classes of the network that segmented a case, or of a converted mask; the liver alone if unknown.

    `version` as in `run_of_case`.
    """
    return scheme_of_run(run_of_case(case, version))


def scheme_of_run(run: Mapping[str, Any]) -> LabelScheme:
    """The classes of the masks of a run; the liver alone if unknown."""
    recipe = (run.get("settings") or {}).get("recipe") or {}
    labels = recipe.get("labels") or run.get("label_scheme")
    try:
        return LabelScheme.model_validate(labels or {})
    except pydantic.ValidationError:
        return LabelScheme()


def _as_mask(scheme: LabelScheme, volume: Volume) -> Mask:
    if scheme.is_liver_only:
        return Mask(liver_in(volume.values), volume.geometry, volume.header)
    values = np.rint(volume.values).astype(np.int64)
    if values.min(initial=0) < 0 or values.max(initial=0) > len(scheme):
        raise ScanError(
            f"the mask has values up to {values.max()}; expected 0 to {len(scheme)}, the classes of the network. "
            "Draw with these values only."
        )
    classes = values.astype(np.uint8)
    liver = scheme.liver_in(classes)
    return Mask(liver, volume.geometry, volume.header, classes=ClassMap(classes, scheme))


def _check_grid(sent: Geometry, expected: Geometry) -> None:
    if sent.matches(expected):
        return
    if sent.shape != expected.shape:
        found = (
            f"has {_times(sent.shape)} voxels; expected the {_times(expected.shape)} of the scan"
        )
    else:
        found = "is placed or oriented differently from the scan; expected the affine of the scan"
    raise GridError(f"the mask {found}. Save the mask on the grid of the scan.")


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
