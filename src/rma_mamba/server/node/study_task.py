"""The task of the isolated process: choose the series of a study, and segment them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

import numpy as np

from rma_mamba.errors import ConfigError, GridError, RmaMambaError, ScanError
from rma_mamba.pipeline.cached_segmenter import cached_segmenter
from rma_mamba.pipeline.case import segment_case
from rma_mamba.pipeline.discovery import Case
from rma_mamba.pipeline.messages import Progress, ignore_progress
from rma_mamba.pipeline.request import SegmentRequest
from rma_mamba.scans import list_series
from rma_mamba.scans.dicom_series import SeriesInfo
from rma_mamba.server.node.series_rules import SeriesRule, matching_rule
from rma_mamba.volume import Geometry, Volume

_DIGITS = 20
_WRITERS = ("rma_mamba.scans.dicom_seg", "rma_mamba.scans.dicom_sr")  # they import large libraries


@dataclass(frozen=True)
class ScanTask:
    """A scan to segment, with its results.

    Args:
        case: The scan, and the name of its folder of results.
        out: Folder of the results of all cases.
        request: All settings.
    """

    case: Case
    out: Path
    request: SegmentRequest


@dataclass(frozen=True)
class StudyTask:
    """A study of which some series are to be segmented.

    Args:
        images: Folder of its images.
        out: Folder of its results.
        request: All settings except the series.
        rules: Which series; empty: the one that `segment` chooses.
    """

    images: Path
    out: Path
    request: SegmentRequest
    rules: tuple[SeriesRule, ...] = ()


@dataclass(frozen=True)
class Segmented:
    """The results of one scan.

    Args:
        files: Path of each file by output type.
        seconds: Duration; 0 if an earlier process had completed it.
        modality: "CT" or "MR"; None if an earlier process had completed it.
        problem: Why there are no files.
    """

    files: dict[str, Path]
    seconds: float = 0.0
    modality: str | None = None
    problem: str = ""


def load_network(request: SegmentRequest, progress: Progress) -> None:
    """Load the network before the first study arrives, and let it run once: the first run takes two seconds longer.

    Raises:
        WeightsError, BackendError: The network cannot run.
    """
    segmenter = cached_segmenter(request.network)
    noise = np.random.default_rng(0).integers(0, 1000, (32, 32, 3)).astype(np.int16)
    geometry = Geometry((32, 32, 3), np.diag([5.0, 5.0, 5.0, 1.0]))
    with suppress(RmaMambaError):
        segmenter(Volume(noise, geometry), modality="MR", progress=ignore_progress)
    for name in _WRITERS:
        import_module(name)


def segment_scan(task: ScanTask, progress: Progress) -> list[Segmented]:
    """Segment one scan; errors as for `segment_case`."""
    segmenter = cached_segmenter(task.request.network)
    completed = segment_case(
        task.case, task.out, task.request, segmenter=segmenter, progress=progress
    )
    return [Segmented(completed.files, completed.seconds, completed.modality)]


def segment_study(task: StudyTask, progress: Progress) -> list[Segmented]:
    """Segment the series that the rules choose; none if no series matches a rule.

    The results of a series are in a folder that is named after its images: with the same images, they are found again
    after an interruption, and with others they do not replace files that are being sent.

    A series that cannot be segmented does not keep the others from being segmented.

    Raises:
        ScanError, GridError, ConfigError: No series can be segmented.
        WeightsError, BackendError: The network cannot run.
    """
    results, errors = [], []
    for series, volume in _chosen(task):
        reading = replace(task.request.reading, series=series, volume=volume)
        request = replace(task.request, reading=reading)
        case = Case(task.images, _fingerprint(task.images, series, volume))
        try:
            results += segment_scan(ScanTask(case, task.out, request), progress)
        except (ScanError, GridError, ConfigError) as error:
            results.append(Segmented({}, problem=str(error)))
            errors.append(error)
    if errors and len(errors) == len(results):
        raise errors[0]
    return results


def _chosen(task: StudyTask) -> list[tuple[str | None, int | None]]:
    """UID of each series to segment, and number of its volume; None: as `segment` chooses."""
    if not task.rules:
        return [(None, None)]
    found = matching_rule(task.rules, list_series(task.images))
    if found is None:
        return []
    rule, matching = found
    chosen = matching if rule.take == "all" else _best(task.images, matching)
    return [(each.uid, rule.volume) for each in chosen]


def _best(images: Path, matching: Sequence[SeriesInfo]) -> list[SeriesInfo]:
    """The best of several series; the first if none can be segmented, so that its problem is reported."""
    listed = list_series(images, among={each.uid for each in matching})
    return [each for each in listed if each.chosen] or listed[:1]


def _fingerprint(images: Path, series: str | None, volume: int | None) -> str:
    """A name for a series of these images: all files of the study, with sizes and times of change."""
    parts = [str(series), str(volume)]
    for path in sorted(images.iterdir()):
        found = path.stat()
        parts.append(f"{path.name} {found.st_size} {found.st_mtime_ns}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:_DIGITS]
