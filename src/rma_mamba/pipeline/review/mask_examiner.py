"""Measurements, flags and a small image of a version of a mask, written to its folder."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any, cast

import pydantic

from rma_mamba.deprecation import suppress_rename_warnings
from rma_mamba.files import replace_file
from rma_mamba.pipeline.json_files import read_json, write_json_file
from rma_mamba.pipeline.review.case_status import (
    EXAMINED_FILE,
    THUMBNAIL_FILE,
    UNCERTAINTY_FILE,
    examination,
    is_of_last_run,
    modality_of_case,
    run_of_case,
)
from rma_mamba.pipeline.review.corrected_mask import read_version
from rma_mamba.pipeline.review.flag_places import FlagPlaces
from rma_mamba.pipeline.review.mask_versions import MASK_FILE, MaskVersion, MaskVersions
from rma_mamba.reporting import Flag, Quality, Quantities, assess, quantify
from rma_mamba.reporting.mask_evidence import MaskEvidence
from rma_mamba.reporting.mask_examination import examine_mask
from rma_mamba.reporting.preview import thumbnail_png
from rma_mamba.reporting.quality import LIGHTS
from rma_mamba.scans import read_scan
from rma_mamba.slicing import CalibratedVolume, IntensityScale, SliceRecipe, calibrated
from rma_mamba.volume import Mask, Modality, Volume

_NAMES = tuple(each.name for each in fields(Quantities) if each.name != "warnings")

# Flags about the scan, not about a mask: they remain after a correction.
_ABOUT_SCAN = ("flipped_axes", "slice_spacing")


def examine_version(case: Path, version: MaskVersion, scan: Volume) -> dict[str, Any]:
    """Measure a version, assess its quality, and write both to its folder; a version that was examined is read.

    The quality of a mask that a network has made is that of its run. A corrected mask is assessed like any other, but
    its Dice cannot be estimated: there are no predictions that agree or disagree.

    Args:
        case: The folder of the case.
        version: The version.
        scan: The scan as stored; its modality is that of the header or was requested.

    Raises:
        ScanError, GridError: A file cannot be read or written.
    """
    folder = MaskVersions(case).path(version.version)
    if known := read_json(folder / EXAMINED_FILE):
        return known
    mask = read_version(case, folder / MASK_FILE, version)
    volume = calibrated(scan, modality_of_case(case, version))
    run, before = run_of_case(case, version), examination(case, version)
    uncertainty = case / UNCERTAINTY_FILE if is_of_last_run(case, version) else None
    found = _examined(run, mask, volume, before, uncertainty)
    replace_file(folder / THUMBNAIL_FILE, thumbnail_png(volume, mask), "thumbnail")
    write_json_file(folder / EXAMINED_FILE, found, "measurements")
    return found


def examine_unsaved(
    case: Path, mask: Mask, scan: Volume, version: MaskVersion | None = None
) -> dict[str, Any]:
    """Measure a mask that is not a version, and assess it like a corrected one; nothing is written.

    `version` is the one that was changed; None: the newest.
    """
    volume = calibrated(scan, modality_of_case(case, version))
    return _examined(run_of_case(case, version), mask, volume, {})


def _examined(
    run: dict[str, Any],
    mask: Mask,
    volume: CalibratedVolume,
    before: dict[str, Any],
    uncertainty: Path | None = None,
) -> dict[str, Any]:
    """Measurements, quality and places of flags; what is known from before is not computed again."""
    evidence = examine_mask(volume, mask, _scale(run, volume))
    quality = before.get("quality") or _quality(run, volume, mask, evidence).as_dict()
    measured = before.get("measurements") or {}
    if "surface_area_mm2" not in measured:
        measured = quantify(mask, volume).record
    codes = [flag["code"] for flag in quality["flags"]]
    entropy = _entropy(uncertainty) if uncertainty and "low_estimated_dice" in codes else None
    return {
        "measurements": {name: measured.get(name) for name in _NAMES},
        "quality": quality,
        "warnings": before.get("warnings", []),
        "places": FlagPlaces(mask, volume, evidence, entropy).of(codes),
    }


def _quality(
    run: dict[str, Any], volume: CalibratedVolume, mask: Mask, evidence: MaskEvidence
) -> Quality:
    """The quality of a mask that no network has made, with what the run has found about the scan."""
    quality = assess(volume, mask, _scale(run, volume), evidence=evidence)
    flags = [*_flags_of_scan(run), *quality.flags]
    flags.sort(key=lambda flag: -LIGHTS.index(flag.severity))
    return Quality(tuple(flags))


def _flags_of_scan(run: dict[str, Any]) -> list[Flag]:
    quality = run.get("quality") or {}
    return [
        Flag(flag["code"], flag["message"], flag["severity"])
        for flag in quality.get("flags", [])
        if flag.get("code") in _ABOUT_SCAN
    ]


def _scale(run: dict[str, Any], volume: CalibratedVolume) -> tuple[float, float]:
    settings = run.get("settings") or {}
    try:
        with suppress_rename_warnings():
            recipe = SliceRecipe.model_validate(settings.get("recipe") or {})
    except pydantic.ValidationError:  # of another version
        recipe = SliceRecipe()
    return IntensityScale.of_volume(volume, recipe).range


def _entropy(path: Path) -> Any:
    return read_scan(path).values if path.is_file() else None


def as_described(volume: Volume, description: dict[str, Any]) -> Volume:
    """A scan that was converted to NIfTI, with what its description states of the original: modality and gaps."""
    modality = description.get("header_modality")
    known = cast("Modality", modality) if modality in ("CT", "MR") else None
    missing = tuple(description.get("missing_slices", ()))
    return replace(volume, modality=known, missing_slices=missing)
