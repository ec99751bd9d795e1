"""A version of a mask in the formats of `segment`: NIfTI, DICOM, report, mesh."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from rma_mamba.mask_provenance import MaskProvenance
from rma_mamba.pipeline.case_result import CaseResult
from rma_mamba.pipeline.output_types import OUTPUT_TYPES
from rma_mamba.pipeline.review.adopted_masks import provenance_of
from rma_mamba.pipeline.review.case_status import modality_of_case, run_of_case
from rma_mamba.pipeline.review.corrected_mask import read_version
from rma_mamba.pipeline.review.export_types import output_type
from rma_mamba.pipeline.review.mask_examiner import examine_version
from rma_mamba.pipeline.review.mask_versions import MASK_FILE, MaskVersion, MaskVersions
from rma_mamba.reporting import Flag, Measurements, Quality, measure
from rma_mamba.reporting.mask_evidence import NO_EVIDENCE, MaskEvidence
from rma_mamba.scans.checks import require_source_images
from rma_mamba.slicing import CalibratedVolume, calibrated
from rma_mamba.volume import Mask, Modality, Volume

if TYPE_CHECKING:
    from rma_mamba.inference import Segmentation


@dataclass(frozen=True, eq=False)
class ReviewedSegmentation:
    """A version of a mask in place of the network's `Segmentation`, for the writers of output files."""

    mask: Mask
    scan: CalibratedVolume
    quality: Quality
    warnings: tuple[str, ...] = ()
    probabilities: None = None
    removed_implausible_ml: float = 0.0
    evidence: MaskEvidence = NO_EVIDENCE
    uncertainty: Any = field(default_factory=lambda: SimpleNamespace(agreements={}))

    @property
    def modality(self) -> Modality:
        """CT or MR."""
        return self.scan.modality

    @property
    def measurements(self) -> Measurements:
        """Volume, extent and faces that the mask reaches."""
        return measure(self.mask)

    @property
    def volume_ml(self) -> float:
        """Volume of the mask."""
        return self.mask.volume_ml


def export_version(case: Path, version: MaskVersion, scan: Volume, kind: str, path: Path) -> None:
    """Write a version of a mask to a file.

    Args:
        case: The folder of the case.
        version: The version.
        scan: The scan, read from its own files: DICOM objects refer to its images.
        kind: One of `EXPORT_TYPES`.
        path: The file to write; its suffix fits the type.

    Raises:
        ConfigError: The type does not exist, or the scan is not DICOM.
        ScanError, GridError: A file cannot be read or written.
    """
    output = OUTPUT_TYPES[output_type(kind)]
    if output.dicom:
        require_source_images(scan.source_images, output.name)
    segmentation = reviewed_segmentation(case, version, scan)
    run = run_of_case(case, version)
    made = MaskVersions(case).origin(version).made
    if made is not None:  # not by the network of that run
        run |= {"weights_sha256": made.get("weights_sha256"), "model": made.get("algorithm")}
    run["reviewed"] = {
        "version": version.version,
        "kind": version.kind,
        "parent": version.parent,
        "author": version.author,
        "time": version.time,
    }
    run["model"] = run.get("model") or "unknown"
    output.write(CaseResult(cast("Segmentation", segmentation), run), path)


def reviewed_segmentation(case: Path, version: MaskVersion, scan: Volume) -> ReviewedSegmentation:
    """A version with its quality, as the writers of output files expect it."""
    examined = examine_version(case, version, scan)
    volume = calibrated(scan, modality_of_case(case, version))
    mask = read_version(case, MaskVersions(case).path(version.version) / MASK_FILE, version)
    mask = replace(
        mask,
        geometry=scan.geometry,
        header=scan.header,
        source_images=scan.source_images,
        provenance=_provenance(case, version),
    )
    quality = examined["quality"]
    flags = tuple(
        Flag(flag["code"], flag["message"], flag["severity"]) for flag in quality["flags"]
    )
    warnings = (*scan.warnings, *_origin(version), *examined["warnings"])
    return ReviewedSegmentation(mask, volume, Quality(flags, quality["estimated_dice"]), warnings)


def _origin(version: MaskVersion) -> tuple[str, ...]:
    """How a mask was made, for readers of a report."""
    by = f" by {version.author}" if version.author else ""
    if version.kind == "automatic":
        return ()
    how = "corrected" if version.kind == "semiautomatic" else "drawn"
    return (f"The mask was {how}{by} (version {version.version}).",)


def _provenance(case: Path, version: MaskVersion) -> MaskProvenance:
    run = run_of_case(case, version)
    made = provenance_of(MaskVersions(case).origin(version).made) or MaskProvenance(
        version=run.get("rma_mamba"),
        weights_sha256=run.get("weights_sha256"),
        settings=run.get("settings") or {},
    )
    if version.kind == "automatic":
        return made
    return replace(made, kind=version.kind, creator=version.author, settings={})
