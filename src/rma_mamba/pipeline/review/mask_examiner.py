"""Measurements, flags and a small image of a version of a mask, written to its folder."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any, cast

import pydantic

from rma_mamba.deprecation import suppress_rename_warnings
from rma_mamba.files import replace_file
from rma_mamba.pipeline.json_files import write_json_file
from rma_mamba.pipeline.review.case_status import (
    EXAMINED_FILE,
    RUN_FILE,
    THUMBNAIL_FILE,
    UNCERTAINTY_FILE,
    examination,
    modality_of_case,
    read_json,
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
    mask = read_version(case, folder / MASK_FILE)
    volume = calibrated(scan, modality_of_case(case))
    found = _examined(case, mask, volume, examination(case, version))
    replace_file(folder / THUMBNAIL_FILE, thumbnail_png(volume, mask), "thumbnail")
    write_json_file(folder / EXAMINED_FILE, found, "measurements")
    return found


def examine_unsaved(case: Path, mask: Mask, scan: Volume) -> dict[str, Any]:
    """Measure a mask that is not a version, and assess it like a corrected one; nothing is written."""
    return _examined(case, mask, calibrated(scan, modality_of_case(case)), {})


def _examined(
    case: Path, mask: Mask, volume: CalibratedVolume, before: dict[str, Any]
) -> dict[str, Any]:
    """Measurements, quality and places of flags; what is known from before is not computed again."""
    evidence = examine_mask(volume, mask, _scale(case, volume))
    quality = before.get("quality") or _quality(case, volume, mask, evidence).as_dict()
    measured = before.get("measurements") or {}
    if "surface_area_mm2" not in measured:
        measured = quantify(mask, volume).record
    codes = [flag["code"] for flag in quality["flags"]]
    entropy = _entropy(case) if "low_estimated_dice" in codes else None
    return {
        "measurements": {name: measured.get(name) for name in _NAMES},
        "quality": quality,
        "warnings": before.get("warnings", []),
        "places": FlagPlaces(mask, volume, evidence, entropy).of(codes),
    }


def _quality(case: Path, volume: CalibratedVolume, mask: Mask, evidence: MaskEvidence) -> Quality:
    """The quality of a mask that no network has made, with what the run has found about the scan."""
    quality = assess(volume, mask, _scale(case, volume), evidence=evidence)
    flags = [*_flags_of_scan(case), *quality.flags]
    flags.sort(key=lambda flag: -LIGHTS.index(flag.severity))
    return Quality(tuple(flags))


def _flags_of_scan(case: Path) -> list[Flag]:
    quality = read_json(case / RUN_FILE).get("quality") or {}
    return [
        Flag(flag["code"], flag["message"], flag["severity"])
        for flag in quality.get("flags", [])
        if flag.get("code") in _ABOUT_SCAN
    ]


def _scale(case: Path, volume: CalibratedVolume) -> tuple[float, float]:
    settings = read_json(case / RUN_FILE).get("settings") or {}
    try:
        with suppress_rename_warnings():
            recipe = SliceRecipe.model_validate(settings.get("recipe") or {})
    except pydantic.ValidationError:  # of another version
        recipe = SliceRecipe()
    return IntensityScale.of_volume(volume, recipe).range


def _entropy(case: Path) -> Any:
    path = case / UNCERTAINTY_FILE
    return read_scan(path).values if path.is_file() else None


def as_header_states(volume: Volume, modality: str | None) -> Volume:
    """A scan that was converted to NIfTI, which has no modality, with that of the original header."""
    known = cast("Modality", modality) if modality in ("CT", "MR") else None
    return replace(volume, modality=known)
