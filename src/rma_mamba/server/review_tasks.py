"""What worker processes do for a review: save, examine, change and export masks."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from rma_mamba.errors import ConfigError
from rma_mamba.mask_provenance import MaskProvenance
from rma_mamba.pipeline.case_report import read_identity
from rma_mamba.pipeline.isolated_process import Progress
from rma_mamba.pipeline.json_files import read_json
from rma_mamba.pipeline.output_types import OUTPUT_TYPES
from rma_mamba.pipeline.review import mask_tools
from rma_mamba.pipeline.review.adopted_masks import import_mask
from rma_mamba.pipeline.review.corrected_mask import grid_of, read_sent_mask
from rma_mamba.pipeline.review.displayed_scan import DESCRIPTION_FILE, SCAN_FILE
from rma_mamba.pipeline.review.export_types import output_type
from rma_mamba.pipeline.review.mask_examiner import (
    as_described,
    examine_unsaved,
    examine_version,
)
from rma_mamba.pipeline.review.mask_versions import (
    MASK_FILE,
    MaskVersion,
    MaskVersions,
    version_record,
)
from rma_mamba.pipeline.review.version_export import export_version
from rma_mamba.scans import read_scan, write_mask
from rma_mamba.server.case_reading import read_case_scan
from rma_mamba.volume import Mask, Volume


def save_version(
    report: Progress, *, folder: str, shown: str, sent: str, fields: dict[str, Any]
) -> dict[str, Any]:
    """Save a mask that a page has sent."""
    case = Path(folder)
    MaskProvenance("manual", fields["author"])  # checks the name, which DICOM objects will state
    mask = _sent_mask(case, sent, shown, _version(folder, fields["parent"]))
    return version_record(MaskVersions(case).add(mask, **fields))


def import_version(
    report: Progress, *, case: dict[str, Any], sent: str | None = None, series: str | None = None
) -> dict[str, Any]:
    """Make a mask that a page has sent, or a DICOM mask beside the scan, the newest version, and examine it."""
    from rma_mamba.scans.dicom_mask_objects import mask_of_series  # imports pydicom

    folder = Path(case["folder"])
    scan = read_case_scan(case, MaskVersions(folder).newest)
    path = mask_of_series(Path(case["scan"]), series) if series else Path(sent or "")
    version = import_mask(folder, path, scan)
    examine_version(folder, version, scan)
    return version_record(version)


def examine(report: Progress, *, folder: str, shown: str, version: int) -> dict[str, Any]:
    """Measurements, quality and a thumbnail of a version."""
    case = Path(folder)
    found = MaskVersions(case).find(version)
    return examine_version(case, found, _shown_scan(Path(shown)))


def measure(
    report: Progress, *, folder: str, shown: str, sent: str, version: int | None = None
) -> dict[str, Any]:
    """Measurements and quality of a mask that a page has sent; nothing is saved."""
    case, base = Path(folder), _version(folder, version)
    mask = _sent_mask(case, sent, shown, base)
    return examine_unsaved(case, mask, _shown_scan(Path(shown)), base)


def _version(folder: str, number: int | None) -> MaskVersion | None:
    return None if number is None else MaskVersions(Path(folder)).find(number)


def _sent_mask(case: Path, sent: str, shown: str, base: MaskVersion | None) -> Mask:
    """A mask that a page has sent, on the grid of the version that it was made from."""
    return read_sent_mask(case, Path(sent), grid_of(case, Path(shown) / SCAN_FILE, base), base)


def examine_result(report: Progress, *, case: dict[str, Any]) -> None:
    """Measurements and a thumbnail of the newest version of a case, from the scan itself."""
    folder = Path(case["folder"])
    newest = MaskVersions(folder).newest
    if newest is not None:
        examine_version(folder, newest, read_case_scan(case, newest))


def use_tool(
    report: Progress,
    *,
    folder: str,
    shown: str,
    sent: str,
    tool: str,
    options: dict[str, str],
    out: str,
    version: int | None = None,
) -> None:
    """Change a mask that a page has sent, and write the result to a file."""
    mask = _sent_mask(Path(folder), sent, shown, _version(folder, version))
    try:
        labels = _TOOLS[tool](mask, options, Path(shown))
    except (ValueError, KeyError):
        raise ConfigError(
            "an option of the tool is missing or not a number; expected whole numbers. Load the page again."
        ) from None
    write_mask(replace(mask, labels=labels, classes=None), out)


def export(report: Progress, *, case: dict[str, Any], version: int, kind: str, folder: str) -> str:
    """Write a version to a file in a folder, and return its name."""
    results = Path(case["folder"])
    found = MaskVersions(results).find(version)
    name = OUTPUT_TYPES[output_type(kind)].file_name
    if kind == "nifti":
        shutil.copyfile(MaskVersions(results).path(version) / MASK_FILE, Path(folder) / name)
    else:
        export_version(results, found, read_case_scan(case, found), kind, Path(folder) / name)
    return name


def identify(report: Progress, *, case: dict[str, Any]) -> dict[str, str]:
    """Patient and accession number in the headers of a DICOM scan."""
    return dict(read_identity(read_case_scan(case, MaskVersions(Path(case["folder"])).newest)))


def _shown_scan(folder: Path) -> Volume:
    """The scan as the viewer shows it, with what its own header states; the last one stays in memory."""
    return _read_shown(folder, (folder / SCAN_FILE).stat().st_mtime_ns)


@lru_cache(maxsize=1)
def _read_shown(folder: Path, changed: int) -> Volume:
    description = read_json(folder / DESCRIPTION_FILE)
    return as_described(read_scan(folder / SCAN_FILE), description)


def _interpolated(mask: Mask, options: dict[str, str], shown: Path) -> mask_tools.Labels:
    slices = _numbers(options.get("slices", ""))
    axis = _axis(options["axis"])
    return mask_tools.interpolate(mask.labels, mask.geometry.spacing_mm, axis, slices)


def _without_island(mask: Mask, options: dict[str, str], shown: Path) -> mask_tools.Labels:
    keep = _is_set(options.get("keep", ""))
    return mask_tools.remove_island(mask.labels, _voxel(options), keep=keep)


def _filled(mask: Mask, options: dict[str, str], shown: Path) -> mask_tools.Labels:
    axis = options.get("axis", "")
    return mask_tools.fill_holes(mask.labels, _axis(axis) if axis else None)


def _grown(mask: Mask, options: dict[str, str], shown: Path) -> mask_tools.Labels:
    inside = _is_set(options.get("inside", "1"))
    return mask_tools.grow(mask.labels, _shown_scan(shown), _voxel(options), inside=inside)


_TOOLS: dict[str, Callable[[Mask, dict[str, str], Path], mask_tools.Labels]] = {
    "interpolate": _interpolated,
    "remove-island": _without_island,
    "fill-holes": _filled,
    "grow": _grown,
}


def _axis(text: str) -> int:
    """An axis as a letter of the voxel axes, or as a number."""
    return "ijk".index(text) if text in ("i", "j", "k") else int(text)


def _voxel(options: dict[str, str]) -> mask_tools.Voxel:
    i, j, k = _numbers(options["voxel"])
    return i, j, k


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",") if part]


def _is_set(text: str) -> bool:
    return text.lower() in ("1", "true", "yes")
