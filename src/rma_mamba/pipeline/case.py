"""Segment one case: read the scan, run the network, and write the results."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rma_mamba.conventions import LIVER
from rma_mamba.files import remove_unfinished
from rma_mamba.pipeline.case_channels import read_case
from rma_mamba.pipeline.case_report import read_identity
from rma_mamba.pipeline.case_result import CaseResult
from rma_mamba.pipeline.discovery import Case, ChannelScan
from rma_mamba.pipeline.messages import Progress, ignore_progress
from rma_mamba.pipeline.output_paths import OutputPaths, plan_outputs
from rma_mamba.pipeline.output_types import OUTPUT_TYPES
from rma_mamba.pipeline.provenance import (
    describe_run,
    is_complete,
    recorded_light,
    voxels_sha256,
)
from rma_mamba.pipeline.request import SegmentRequest
from rma_mamba.pipeline.write_results import check_scan_supports, write_results

if TYPE_CHECKING:
    from rma_mamba.inference import Segmenter
    from rma_mamba.reporting.quality import Light
    from rma_mamba.volume import Volume

LOCK_DELAY_S = (
    1.0  # a temporary file as young as this may belong to another run that is about to lock it
)


@dataclass(frozen=True)
class CompletedCase:
    """The result of `segment_case`; small and picklable.

    Args:
        files: Path of each output file by output type.
        volume_ml: Liver volume; None if the case was skipped.
        modality: Modality of the scan; None if the case was skipped.
        quality: The quality rating in one line.
        seconds: Duration.
        warnings: Warnings about the scan and the results, one sentence each.
        light: Traffic light of the quality; None if that of a skipped case cannot be read.
        skipped: Whether an earlier run had already completed the case (`SegmentRequest.resume`).
        classes: Volume of each class except the liver in one line; empty for a network that segments the liver alone.
    """

    files: dict[str, Path]
    volume_ml: float | None = None
    modality: str | None = None
    quality: str = ""
    seconds: float = 0.0
    warnings: tuple[str, ...] = ()
    skipped: bool = False
    classes: tuple[str, ...] = ()
    light: Light | None = None

    @property
    def lines(self) -> tuple[str, ...]:
        """The result as a few lines of text."""
        if self.skipped or self.volume_ml is None:
            return ("skipped: already complete",)
        liver = f"Liver: {self.volume_ml:.0f} mL ({self.modality})"
        return (liver, *self.classes, f"Quality: {self.quality}")


def segment_case(
    scan: str | Path | Case,
    out: str | Path,
    request: SegmentRequest = SegmentRequest(),  # noqa: B008 (frozen)
    *,
    channels: tuple[ChannelScan, ...] = (),
    segmenter: Segmenter | None = None,
    progress: Progress = ignore_progress,
    on_scan: Callable[[Volume], None] | None = None,
) -> CompletedCase:
    """Read, segment and write one scan.

    Args:
        scan: A path: `out` is a file, or a folder in which the case gets a folder named after the scan.
            A case of a cohort: `out` is the folder of the cohort's results.
        out: The output path.
        request: All settings.
        channels: Several scans that are the channels of the case; `scan` is the first. Empty: those of a case of a
            cohort, or a single scan.
        segmenter: A network in memory. None: load that of the request; a wrong path or a corrupt scan is reported
            first.
        progress: Called with (slices done, slices in total).
        on_scan: Called with the scan once it is read, for a viewer that shows it before the mask is there.

    Raises:
        ConfigError: The output cannot be written, or this scan does not support one of the output types.
        ScanError, GridError: The scan cannot be used, or a file cannot be written.
        WeightsError, BackendError: The network cannot run.
    """
    started = time.monotonic()
    case = scan if isinstance(scan, Case) else Case(Path(scan), Path(scan).name, channels=channels)
    name = case.name if isinstance(scan, Case) else None
    paths = plan_outputs(case.scan, out, request.outputs, case=name, others=case.scans[1:])
    remove_unfinished(paths.folder, min_age_s=LOCK_DELAY_S)
    run = None
    is_repeatable = request.patient_size is None and not request.identify
    if request.resume and is_repeatable and paths.run is not None:
        segmenter = segmenter or request.network.load()
        run = describe_run(case, request, segmenter)
        if is_complete(paths.run, run, [*paths.files.values()]):
            return CompletedCase(paths.files, skipped=True, light=recorded_light(paths.run))
    with request.network.loaded_ahead(segmenter) as load:
        volume = read_case(case, request.reading, any_study=name is not None)
        check_scan_supports(paths, volume)
        if on_scan is not None:
            on_scan(volume)
        identity = read_identity(volume) if request.identify else ()
        segmenter = load()
    result = segmenter(
        volume,
        modality=request.reading.modality,
        progress=progress,
        keep_probabilities=_needs_probabilities(paths),
    )
    run = {
        **(run or describe_run(case, request, segmenter)),
        "voxels_sha256": voxels_sha256(volume),
    }
    written = CaseResult(result, run, request.patient_size, identity)
    write_results(paths, written)
    return CompletedCase(
        paths.files,
        result.measurements.volume_ml,
        result.modality,
        result.quality.line,
        time.monotonic() - started,
        written.notes.urgent,
        classes=tuple(each.line for each in written.class_volumes if each.name != LIVER),
        light=result.quality.light,
    )


def _needs_probabilities(paths: OutputPaths) -> bool:
    return any(OUTPUT_TYPES[name].probabilities for name in paths.files)
