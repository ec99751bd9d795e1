"""One scan or a cohort: which it is, and on to the code that does it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rma_mamba.errors import ConfigError, ScanError
from rma_mamba.pipeline.case import segment_case
from rma_mamba.pipeline.discovery import Case, apart, check_names, find_cohort, part_of
from rma_mamba.pipeline.messages import Messages
from rma_mamba.pipeline.outputs import case_name
from rma_mamba.pipeline.patient_size import expected
from rma_mamba.pipeline.request import Request


@dataclass(frozen=True)
class Sharing:
    """How a cohort is shared: among runs, and among processes of this run."""

    part: int = 0
    parts: int = 1
    engine: Literal["local", "ray"] = "local"

    @property
    def errors(self) -> str:
        """Name of the list of errors: each run has its own."""
        return "errors.jsonl" if self.parts == 1 else f"errors_{self.part}_of_{self.parts}.jsonl"


def segment_input(
    scan: Path, out: str, request: Request, sharing: Sharing, messages: Messages
) -> int:
    """Segment what lies at a path; the exit code. Errors are those of the parts."""
    try:
        cases = _cases(scan, out, request)
    except OSError as error:
        raise ScanError(
            f"the input cannot be looked into ({error.strerror or 'input/output error'}); expected "
            "readable folders. Check the permissions."
        ) from error
    if cases is None:
        if sharing != Sharing():
            raise ConfigError(
                "parts or an engine were asked for, but the input is one scan; expected a folder of "
                "scans. Leave --num-parts, --part-id and --engine out."
            )
        _segment_one(scan, out, request, messages)
        return 0
    if request.body is not None:
        raise ConfigError(
            "height and weight were given, but the input is many scans; expected one patient's scan. "
            "Leave --height-cm and --weight-kg out."
        )
    from rma_mamba.pipeline import cohort

    engine: cohort.Engine = cohort.one_after_another
    if sharing.engine == "ray":
        from rma_mamba.pipeline.ray_engine import over_ray as engine
    chosen = part_of(cases, sharing.part, sharing.parts)
    return cohort.segment_cohort(chosen, Path(out), request, messages, engine, sharing.errors)


def _cases(scan: Path, out: str, request: Request) -> list[Case] | None:
    """The cases of a cohort; None for one scan. With all frames, a scan of several volumes is a cohort of its own."""
    cases, series = find_cohort(scan, Path(out)), request.reading.series
    if request.reading.frame != "all":
        return cases
    if cases is None:
        found = apart(Case(scan, case_name(scan)), series)
        return found if len(found) > 1 else None
    found = [volume for case in cases for volume in apart(case, series)]
    check_names(found)
    return found


def _segment_one(scan: Path, out: str, request: Request, messages: Messages) -> None:
    case = Case(scan, scan.name)
    with messages.progress("Segmenting") as progress:
        done = segment_case(case, out, request, request.network.load, progress, named=False)
    messages.warn(done.warnings)
    for line in done.lines[:2]:
        messages.note(line)
    if request.body is not None:
        messages.note(expected(request.body))
    for line in done.lines[2:]:
        messages.detail(line)
