"""One case from its file to its results."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rma_mamba.files import remove_unfinished
from rma_mamba.pipeline import outputs, provenance
from rma_mamba.pipeline.discovery import Case
from rma_mamba.pipeline.request import Request
from rma_mamba.reporting.expected_volume import CAVEAT

if TYPE_CHECKING:
    from rma_mamba.inference import Segmentation, Segmenter

YOUNG_S = 1.0  # temporary files so young may be those of another run


@dataclass(frozen=True)
class Finished:
    """What is said of a case that was segmented.

    Args:
        lines: Its volume, and its quality.
        warnings: What a reader has to know.
    """

    lines: tuple[str, ...]
    warnings: tuple[str, ...] = ()


def segment_case(
    case: Case,
    out: str | Path,
    request: Request,
    load: Callable[[], Segmenter],
    progress: Callable[[int, int], None],
    *,
    named: bool = True,
) -> Finished:
    """Read, segment and write one case; errors are those of the parts.

    Args:
        case: The scan.
        out: The output as it was typed.
        request: What was asked for.
        load: Gives the network, after the scan was read: a wrong path or a damaged scan is told at once.
        progress: Called with (slices done, slices in all).
        named: Whether the results' folder has the case's name; else `out` decides.
    """
    started = time.monotonic()
    request = request.of(case)
    files = outputs.plan(case.scan, out, request.wanted, case=case.name if named else None)
    remove_unfinished(files.mask.parent, min_age_s=YOUNG_S)
    run = None
    if request.resume and request.body is None and files.run is not None:
        run = provenance.describe_run(case.scan, request, load())
        if provenance.is_finished(files.run, run, files.results):
            return Finished(("finished before",))
    volume = request.reading.read(case.scan)
    outputs.check_scan(files, volume)
    segmenter = load()
    wanted = request.wanted
    result = segmenter(
        volume,
        modality=request.reading.modality,
        progress=progress,
        keep_probabilities=wanted.probabilities or wanted.uncertainty,
    )
    run = run or provenance.describe_run(case.scan, request, segmenter)
    outputs.write(files, result, run, request.body)
    lines = (
        f"Liver: {result.measurements.volume_ml:.0f} mL ({result.modality})",
        f"Quality: {result.quality.line}",
        f"Time: {time.monotonic() - started:.1f} s",
    )
    caveats = (CAVEAT,) if request.body else ()
    warnings = (*result.warnings, *result.measurements.warnings, *_grave(result), *caveats)
    return Finished(lines, tuple(dict.fromkeys(warnings)))


def _grave(result: Segmentation) -> list[str]:
    """What the red flags say, but for what the warnings say anyway."""
    flags = (flag for flag in result.quality.flags if flag.severity == "red")
    return [flag.message for flag in flags if flag.code != "no_liver"]
