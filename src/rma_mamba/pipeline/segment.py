"""Segment an input path: one scan, a cohort, or a part of a cohort."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from rma_mamba.errors import ConfigError
from rma_mamba.pipeline.case import CompletedCase, segment_case
from rma_mamba.pipeline.case_channels import (
    cases_with_channels,
    channels_in,
    named_channels,
    network_channels,
)
from rma_mamba.pipeline.cohort import Engine, RunOutcome, run_cohort, run_sequentially
from rma_mamba.pipeline.discovery import (
    Case,
    ChannelScan,
    case_name,
    check_unique_names,
    search,
    select_part,
    split_volumes,
)
from rma_mamba.pipeline.joint_table import JOINT_TABLE
from rma_mamba.pipeline.messages import Messages
from rma_mamba.pipeline.output_paths import check_cohort_outputs
from rma_mamba.pipeline.patient_size import standard_volumes_line
from rma_mamba.pipeline.request import SegmentRequest


@dataclass(frozen=True)
class Distribution:
    """How a cohort is distributed: part `part` (from 0) of `parts`, in this process or on a Ray cluster."""

    part: int = 0
    parts: int = 1
    engine: Literal["local", "ray"] = "local"

    @property
    def errors_name(self) -> str:
        """Name of the list of errors: each part has its own."""
        return "errors.jsonl" if self.parts == 1 else f"errors_{self.part}_of_{self.parts}.jsonl"

    @property
    def table_name(self) -> str:
        """Name of the joint table of measurements: each part has its own."""
        if self.parts == 1:
            return JOINT_TABLE
        return f"{Path(JOINT_TABLE).stem}_{self.part}_of_{self.parts}.csv"

    def load_engine(self) -> Engine:
        """The function that runs the cases."""
        if self.engine == "local":
            return run_sequentially
        from rma_mamba.pipeline.ray_engine import run_on_ray

        return run_on_ray


def segment_path(
    scan: Path | None,
    out: str,
    request: SegmentRequest,
    distribution: Distribution,
    messages: Messages,
    channels: Mapping[str, str] = MappingProxyType({}),
) -> RunOutcome:
    """Segment a scan or a folder of scans, and return the cases that are complete and those of a cohort that failed.

    Args:
        scan: The input; None: only `channels`.
        out: The output path.
        request: All settings.
        distribution: How a cohort is distributed.
        messages: Receives progress and messages.
        channels: Several scans of one patient: the path of each by the name of its channel; with `scan`, its series.

    Raises:
        ScanError: The input cannot be read.
        ConfigError: A setting does not fit the input.
        Exception: As raised by `segment_case` for one scan, and by `segment_cohort` for several.
    """
    names = network_channels(request.network.model, named=bool(channels))
    chosen = _chosen_channels(scan, channels, names, request)
    scan = chosen[0].scan if chosen and scan is None else scan
    if scan is None:
        raise ConfigError(
            "there is no input; expected --input PATH, or --channel NAME=PATH for each scan of a patient. Add it."
        )
    cases = None if chosen else _find(scan, out, request, messages)
    if cases is not None and names:
        cases = cases_with_channels(cases, names)
        check_unique_names(cases, scan)
    if cases is None:
        if distribution != Distribution():
            raise ConfigError(
                "parts or an engine are set, but the input is one scan; expected a folder of scans. "
                "Leave out --num-parts, --part-id and --engine."
            )
        return RunOutcome((_segment_one(scan, out, request, messages, chosen),))
    if request.patient_size is not None:
        raise ConfigError(
            "height and weight are set, but the input is several scans; expected one patient's scan. "
            "Leave out --height-cm and --weight-kg."
        )
    by_name = {case.name: case.scan for case in cases}
    check_cohort_outputs(by_name, out, request.outputs, scan if scan.is_dir() else None)
    part = select_part(cases, distribution.part, distribution.parts)
    return run_cohort(
        part,
        out,
        request,
        messages,
        distribution.load_engine(),
        errors_name=distribution.errors_name,
        table_name=distribution.table_name,
    )


def _chosen_channels(
    scan: Path | None, channels: Mapping[str, str], names: Sequence[str], request: SegmentRequest
) -> tuple[ChannelScan, ...]:
    """The channels of one case: as named by the user, else the files of a folder that are named like them."""
    reading = request.reading
    if (channels or names) and (reading.volume == "all" or (channels and reading.series)):
        raise ConfigError(
            "the input is several channels of one case; expected one volume and no --series. Choose a volume with "
            "--volume N, and series with --channel NAME=SERIES."
        )
    if channels:
        return named_channels(channels, scan, names)
    return channels_in(scan, names) if scan is not None and names else ()


def _find(scan: Path, out: str, request: SegmentRequest, messages: Messages) -> list[Case] | None:
    """The cases of a cohort; None for one scan. With volume="all", a 4-D scan is a cohort of volumes."""
    series = request.reading.series
    found = search(scan, out)
    messages.warn(found.warnings)
    # a series is selected from the list of the whole folder, as `rma-mamba series` prints it
    cases = None if found.is_dicom and series is not None else found.cases
    if request.reading.volume != "all":
        return cases
    if cases is None:
        volumes = split_volumes(Case(scan, case_name(scan)), series)
        return volumes if len(volumes) > 1 else None
    volumes = [volume for case in cases for volume in split_volumes(case, series)]
    check_unique_names(volumes, scan)
    return volumes


def _segment_one(
    scan: Path,
    out: str,
    request: SegmentRequest,
    messages: Messages,
    channels: tuple[ChannelScan, ...],
) -> CompletedCase:
    with messages.progress("Segmenting") as progress:
        completed = segment_case(scan, out, request, channels=channels, progress=progress)
    messages.warn(completed.warnings)
    for line in completed.lines:
        messages.note(line)
    if request.patient_size is not None:
        messages.note(standard_volumes_line(request.patient_size))
    if not completed.skipped:
        messages.detail(f"Time: {completed.seconds:.1f} s")
    return completed
