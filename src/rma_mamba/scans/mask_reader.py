"""Read a mask that any tool wrote, against the grid of its scan: the only place where mask files are read.

NIfTI, NRRD, MetaImage and images are label maps; DICOM Segmentations and RT Structure Sets have structures with names.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from rma_mamba.conventions import IMAGE_SUFFIXES
from rma_mamba.errors import ScanError
from rma_mamba.mask_provenance import MaskProvenance
from rma_mamba.scans.checks import CONSTANT, file_errors
from rma_mamba.scans.dtypes import NOT_FINITE
from rma_mamba.scans.formats import detect_format
from rma_mamba.scans.mask_content import MaskContent, class_map
from rma_mamba.scans.placement import onto_grid
from rma_mamba.volume import Geometry, Mask, Volume

_UNKNOWN = MaskProvenance(algorithm=None)


@dataclass(frozen=True, eq=False)
class ReadMask:
    """A mask on the grid of its scan.

    Args:
        mask: The liver, and all structures of the file if there are several.
        has_other_labels: Whether the file contains labels, but none of them is liver.
        warnings: Problems found while reading, one sentence each.
    """

    mask: Mask
    has_other_labels: bool = False
    warnings: tuple[str, ...] = ()


def read_mask(
    path: str | os.PathLike[str],
    scan: Volume | Geometry | None = None,
    *,
    labels: Sequence[int] = (),
    classes: Mapping[str, Sequence[int]] | None = None,
) -> ReadMask:
    """Read a mask with its structures.

    Args:
        path: NIfTI, NRRD, MetaImage or an image with label values; a DICOM Segmentation, or an RT Structure Set.
        scan: The scan, or its grid. Other axis orders and masks of a part of the scan are brought onto its grid. None:
            the grid of the mask; an RT Structure Set has none.
        labels: Label values, or numbers of segments or regions, of the liver; none: in a label map every value above 0,
            in a DICOM object the structures that are liver by code or name, else all.
        classes: Label values, or numbers, of each class by name, for a mask with several; None: the structures of a
            DICOM object by their names, or the liver alone if `labels` names it.

    Raises:
        ScanError: The file cannot be read, or its values are not labels.
        GridError: The mask is not on the voxels of the scan, or not of this scan.
        ConfigError: There are more structures than a mask can hold.
    """
    content = read_mask_content(Path(path), scan)
    labels = labels or (classes or {}).get("liver", ())
    liver = content.liver(labels)
    named = {} if labels and not classes else content.named(classes)
    header, images = (scan.header, scan.source_images) if isinstance(scan, Volume) else (None, None)
    mask = Mask(
        liver.view(np.uint8),
        content.geometry,
        header,
        images,
        None,
        content.provenance,
        content.open_axis,
    )
    warnings = content.warnings
    if len(named) > 1 or (named and "liver" not in named):
        found, remarks = class_map(named, content.geometry.voxel_volume_ml)
        organ = found.scheme.liver_in(found.values)
        mask, warnings = replace(mask, classes=found, labels=organ), (*warnings, *remarks)
    missing = not mask.labels.any() and not content.is_empty
    return ReadMask(mask, missing, warnings)


def read_mask_content(path: Path, scan: Volume | Geometry | None = None) -> MaskContent:
    """Read everything that a mask file contains; arguments and errors as in `read_mask`."""
    with file_errors("mask"):
        if found := _mask_object(path):
            from rma_mamba.scans.dicom_mask_objects import read_mask_object

            return read_mask_object(found, scan)
    return _label_map(path, scan)


def is_mask_object(path: Path) -> bool:
    """Whether a file is a DICOM Segmentation or RT Structure Set, or a folder with one.

    Raises:
        ScanError: It cannot be read, or a folder has several.
    """
    with file_errors("mask"):
        return _mask_object(path) is not None


def _mask_object(path: Path) -> Path | None:
    if not path.exists() or detect_format(path) != "dicom":
        return None
    from rma_mamba.scans.dicom_mask_objects import mask_object  # imports pydicom

    return mask_object(path)


def _label_map(path: Path, scan: Volume | Geometry | None) -> MaskContent:
    volume = _volume(path)
    if any(NOT_FINITE in warning for warning in volume.warnings):
        raise ScanError(
            "a mask contains voxels that are not finite numbers; expected label values. "
            "Replace them with 0, or export the mask again."
        )
    warnings = tuple(each for each in volume.warnings if each != CONSTANT)  # normal for a mask
    values, geometry = volume.values, volume.geometry
    if scan is not None:
        grid = scan if isinstance(scan, Geometry) else scan.geometry
        values, geometry = onto_grid(values, geometry, grid), grid
    is_image = path.suffix.lower() in IMAGE_SUFFIXES and values.dtype == np.uint8
    return MaskContent(geometry, values, (), _UNKNOWN, warnings, is_image=is_image)


def _volume(path: Path) -> Volume:
    from rma_mamba.scans import count_volumes, read_scan

    try:
        return read_scan(path)
    except ScanError:
        if path.is_file() and (layers := count_volumes(path)) > 1:
            raise ScanError(
                f"the mask has {layers} layers; expected one label map. Export it as one: in 3D Slicer, as a labelmap "
                "volume; or as a DICOM Segmentation, whose segments may overlap."
            ) from None
        raise
