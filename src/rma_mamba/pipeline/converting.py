"""Convert a mask from any tool: read it on the grid of its scan, assess it, and write it as `segment` does."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from rma_mamba.conventions import software_version
from rma_mamba.errors import ConfigError, GridError
from rma_mamba.files import file_sha256
from rma_mamba.label_scheme import LabelScheme
from rma_mamba.mask_provenance import MaskKind, MaskProvenance
from rma_mamba.pipeline.case import CompletedCase
from rma_mamba.pipeline.case_result import CaseResult
from rma_mamba.pipeline.output_paths import OutputPaths, plan_outputs, plan_outputs_beside
from rma_mamba.pipeline.overwriting import refuse_replacing
from rma_mamba.pipeline.provenance import input_sha256, voxels_sha256
from rma_mamba.pipeline.request import ReadOptions
from rma_mamba.pipeline.review.version_export import ReviewedSegmentation
from rma_mamba.pipeline.write_results import check_scan_supports, write_results
from rma_mamba.reporting import Quality, assess
from rma_mamba.reporting.mask_evidence import MaskEvidence
from rma_mamba.reporting.mask_examination import examine_mask
from rma_mamba.reporting.quality import LIGHTS, AnatomyCheck, Flag
from rma_mamba.scans.earlier_results import RUN_RECORD
from rma_mamba.scans.mask_reader import ReadMask, read_mask
from rma_mamba.slicing import CalibratedVolume, IntensityScale, SliceRecipe, SliceStack, calibrated
from rma_mamba.volume import Mask, Volume

if TYPE_CHECKING:
    from rma_mamba.inference import Segmentation


@dataclass(frozen=True)
class ConvertRequest:
    """Settings of `convert_mask`.

    Args:
        reading: How the scan is read.
        outputs: Names of output types; empty: the mask, in the format of the output path.
        labels: Label values of the liver, or numbers of segments or regions; empty: all values above 0, in a DICOM
            object the liver by code or name.
        classes: Label values, or numbers, of each class by name; empty: the structures of a DICOM object by name.
        kind: How the mask was made; None: as the mask states it, else automatically.
        creator: Name of the person who made or corrected it; None: as the mask states it.
        algorithm: Name of the program that made it; None: as the mask states it.
        version: Version of that program.
    """

    reading: ReadOptions = field(default_factory=ReadOptions)
    outputs: tuple[str, ...] = ()
    labels: tuple[int, ...] = ()
    classes: Mapping[str, Sequence[int]] = field(default_factory=dict)
    kind: MaskKind | None = None
    creator: str | None = None
    algorithm: str | None = None
    version: str | None = None

    def stated(self, found: MaskProvenance) -> MaskProvenance:
        """The provenance of a mask, with what this request states of it."""
        if self.algorithm is not None:
            found = replace(
                found,
                algorithm=self.algorithm,
                version=self.version,
                weights_sha256=None,
                settings={},
            )
        kind, creator = self.kind or found.kind, self.creator or found.creator
        return replace(found, kind=kind, creator=creator)


def convert_mask(
    mask: str | Path,
    scan: str | Path,
    out: str | Path | None = None,
    request: ConvertRequest = ConvertRequest(),
) -> CompletedCase:
    """Write a mask from any tool in the formats of `segment`, with measurements and quality.

    A mask that `segment` has written keeps weights, settings, quality and warnings of its run, which `run.json` beside
    it records.

    Args:
        mask: NIfTI, NRRD, MetaImage or an image with label values; a DICOM Segmentation or RT Structure Set.
        scan: The scan on which it was drawn.
        out: The output path, as in `segment_case`; None: beside the mask, with the suffixes of the output types.
        request: All settings.

    Raises:
        ConfigError: The output cannot be written, or an output type needs a DICOM scan.
        ScanError: A file cannot be read or written.
        GridError: The mask is not on the grid of the scan.
    """
    started = time.monotonic()
    mask, scan = Path(mask), Path(scan)
    paths = _plan(mask, scan, out, request.outputs)
    record = {} if request.labels or request.classes else _record_of(mask)
    stored = request.reading.read(scan)
    volume = calibrated(stored, request.reading.modality)
    check_scan_supports(paths, volume)
    classes = dict(request.classes) or _classes_of(record)
    found = read_mask(mask, volume, labels=request.labels, classes=classes)
    made = request.stated(_provenance(found.mask.provenance, record))
    result = CaseResult(
        cast("Segmentation", _assessed(found, volume, made, record)),
        _describe(mask, scan, made, request) | _scanned(stored, request) | _scheme(found.mask),
    )
    write_results(paths, result)
    return CompletedCase(
        paths.files,
        result.mask.volume_ml,
        volume.modality,
        result.notes.quality.line,
        time.monotonic() - started,
        result.notes.urgent,
        classes=tuple(each.line for each in result.class_volumes if each.name != "liver"),
        light=result.notes.quality.light,
    )


def _plan(mask: Path, scan: Path, out: str | Path | None, outputs: tuple[str, ...]) -> OutputPaths:
    if out is None:
        if not outputs:
            raise ConfigError(
                "neither an output path nor an output type is given; expected one of them. "
                "Add -ot dicom_seg, or -o with the name of a file."
            )
        paths = plan_outputs_beside(scan, mask, outputs)
    else:
        paths = plan_outputs(scan, out, outputs)
    refuse_replacing(paths.all_files, [mask])
    return paths


def _assessed(
    found: ReadMask, volume: CalibratedVolume, made: MaskProvenance, record: dict[str, Any]
) -> ReviewedSegmentation:
    """The mask with its quality: that of its run, if it was segmented here, else assessed without a network."""
    mask = replace(found.mask, provenance=made)
    evidence = examine_mask(volume, mask, IntensityScale.of_volume(volume, SliceRecipe()).range)
    missing = ("The mask has labels, but none of the selected label values.",)
    return ReviewedSegmentation(
        mask,
        volume,
        _recorded_quality(record) or _quality(volume, mask, evidence),
        (
            *volume.warnings,
            *found.warnings,
            *(missing if found.has_other_labels else ()),
            *map(str, record.get("warnings", ())),
        ),
        removed_implausible_ml=float(record.get("removed_implausible_ml", 0.0)),
        evidence=evidence,
    )


def _quality(volume: CalibratedVolume, mask: Mask, evidence: MaskEvidence) -> Quality:
    scale = IntensityScale.of_volume(volume, SliceRecipe()).range
    return assess(volume, mask, scale, anatomy=_anatomy(volume), evidence=evidence)


def _anatomy(volume: CalibratedVolume) -> AnatomyCheck:
    """Comparison of the header with the anatomy; without findings for a scan that no network could segment."""
    from rma_mamba.inference.orientation import check_anatomy  # imports torch

    try:
        return check_anatomy(SliceStack(volume, SliceRecipe()))
    except GridError:
        return AnatomyCheck()


def _record_of(mask: Path) -> dict[str, Any]:
    """The run record beside a mask, if it lists the mask as it is now; else empty."""
    try:
        record = json.loads(mask.with_name(RUN_RECORD).read_text(encoding="utf-8"))
        unchanged = record["files"][mask.name] == file_sha256(mask) and "rma_mamba" in record
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return record if unchanged and ("settings" in record or "made" in record) else {}


def _provenance(found: MaskProvenance, record: dict[str, Any]) -> MaskProvenance:
    weights = record.get("weights_sha256")
    if made := record.get("made"):  # it was converted before
        return MaskProvenance(
            made["kind"], found.creator, made["algorithm"], made["version"], weights
        )
    if not record:
        return found
    version, settings = record["rma_mamba"], record["settings"]
    return MaskProvenance(version=version, weights_sha256=weights, settings=settings)


def _classes_of(record: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """The classes of the network that made a mask; none for the liver alone."""
    labels = record.get("settings", {}).get("recipe", {}).get("labels")
    scheme = LabelScheme.model_validate(labels or {})
    return {} if scheme.is_liver_only else {name: scheme.values_of(name) for name in scheme.names}


def _recorded_quality(record: dict[str, Any]) -> Quality | None:
    """The quality in a run record, which knows what the network was uncertain about."""
    quality = record.get("quality")
    if not isinstance(quality, dict) or quality.get("light") not in LIGHTS:
        return None
    flags = tuple(
        Flag(str(each["code"]), str(each["message"]), each["severity"]) for each in quality["flags"]
    )
    return Quality(flags, quality.get("estimated_dice"))


def _scanned(stored: Volume, request: ConvertRequest) -> dict[str, Any]:
    """Which of the volumes in the scan was read, so that a viewer can read it again."""
    reading = request.reading
    chosen = {"series": reading.series, "volume": reading.volume, "spacing_mm": reading.spacing_mm}
    return {"reading": chosen, "voxels_sha256": voxels_sha256(stored)}


def _scheme(mask: Mask) -> dict[str, Any]:
    """The classes of a label map with several, which its values alone do not tell."""
    return {} if mask.classes is None else {"label_scheme": mask.classes.scheme.model_dump()}


def _describe(
    mask: Path, scan: Path, made: MaskProvenance, request: ConvertRequest
) -> dict[str, Any]:
    """The content of run.json: which mask and scan, and how the mask was made."""
    return {
        "rma_mamba": software_version(),
        "input_sha256": input_sha256(scan),
        "mask_sha256": input_sha256(mask),
        "weights_sha256": made.weights_sha256,
        "model": made.algorithm or "not stated",
        "made": {"kind": made.kind, "algorithm": made.algorithm, "version": made.version},
        "labels": list(request.labels),
        "classes": {name: list(values) for name, values in request.classes.items()},
    }
