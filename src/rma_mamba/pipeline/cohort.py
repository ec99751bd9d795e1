"""Segment many scans with one network in memory; a case that fails does not stop the others."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rma_mamba.errors import ConfigError
from rma_mamba.files import remove_unfinished, replace_file
from rma_mamba.pipeline.case import LOCK_DELAY_S, CompletedCase, segment_case
from rma_mamba.pipeline.discovery import Case
from rma_mamba.pipeline.exit_codes import error_message
from rma_mamba.pipeline.joint_table import JOINT_TABLE, is_joint_table, write_joint_table
from rma_mamba.pipeline.messages import Messages, NoMessages, Progress, ignore_progress
from rma_mamba.pipeline.output_paths import check_cohort_outputs
from rma_mamba.pipeline.request import SegmentRequest
from rma_mamba.scans.writers import MASK_SUFFIXES

if TYPE_CHECKING:
    from rma_mamba.inference import Segmenter


@dataclass(frozen=True)
class FailedCase:
    """A case that failed, as in a line of errors.jsonl: name of the case, type of the error, and its message."""

    case: str
    error: str
    message: str

    @classmethod
    def from_error(cls, case: Case, error: Exception) -> FailedCase:
        """A case and the error that it raised."""
        return cls(case.name, type(error).__name__, error_message(error))


@dataclass(frozen=True)
class RunOutcome:
    """What became of the cases of a run: those that are complete, and those that failed."""

    completed: tuple[CompletedCase, ...] = ()
    failed: tuple[FailedCase, ...] = ()


CaseOutcome = tuple[Case, CompletedCase | FailedCase]
Engine = Callable[[list[Case], Path, SegmentRequest, Messages], Iterable[CaseOutcome]]


def segment_cohort(
    cases: list[Case],
    out: str | Path,
    request: SegmentRequest = SegmentRequest(),  # noqa: B008 (frozen)
    messages: Messages | None = None,
    engine: Engine | None = None,
    *,
    errors_name: str = "errors.jsonl",
    table_name: str = JOINT_TABLE,
) -> list[FailedCase]:
    """Segment all cases into `out/<case>/`, and list those that fail in errors.jsonl.

    With the output type csv, the measurements of all cases are joined in one table.

    Args:
        cases: The scans, as returned by `find_cases`.
        out: Folder of the results.
        request: All settings.
        messages: Receives progress and messages; None: they are discarded.
        engine: Runs the cases: `run_sequentially` (None), or `run_on_ray`.
        errors_name: Name of the list of errors; there is no such file if no case fails.
        table_name: Name of the joint table of measurements.

    Returns:
        The cases that failed.

    Raises:
        ConfigError: `out` cannot be a folder, or a result would replace a file of a case.
        WeightsError, BackendError: The network cannot run at all.
    """
    outcome = run_cohort(
        cases, out, request, messages, engine, errors_name=errors_name, table_name=table_name
    )
    return list(outcome.failed)


def run_cohort(
    cases: list[Case],
    out: str | Path,
    request: SegmentRequest,
    messages: Messages | None = None,
    engine: Engine | None = None,
    *,
    errors_name: str = "errors.jsonl",
    table_name: str = JOINT_TABLE,
) -> RunOutcome:
    """As `segment_cohort`; returns the completed cases as well."""
    messages, out, engine = messages or NoMessages(), Path(out), engine or run_sequentially
    if str(out).endswith(MASK_SUFFIXES) or out.is_file():
        raise ConfigError(
            f"the input is {len(cases)} scans, and the output is one file; expected a folder. "
            "Choose the name of a folder."
        )
    check_cohort_outputs({case.name: case.scan for case in cases}, out, request.outputs)
    remove_unfinished(out, min_age_s=LOCK_DELAY_S)
    (out / errors_name).unlink(missing_ok=True)
    if is_joint_table(out / table_name):
        (out / table_name).unlink()
    completed: dict[str, CompletedCase] = {}
    failed: list[FailedCase] = []
    try:
        for number, (case, outcome) in enumerate(engine(cases, out, request, messages), 1):
            place = f"[{number}/{len(cases)}]"  # not the name, which may be a patient's
            if isinstance(outcome, FailedCase):
                failed.append(outcome)
                _write_errors(out / errors_name, failed)
                messages.fail(f"{place} {outcome.message}")
            else:
                completed[case.name] = outcome
                messages.warn(f"{place} {warning}" for warning in outcome.warnings)
                messages.note(f"{place} {'. '.join(outcome.lines)}")
    finally:  # also of a run that is interrupted
        if "csv" in request.outputs and (completed or failed):
            _write_table(out / table_name, cases, completed, failed)
    messages.note(f"{len(cases) - len(failed)} of {len(cases)} cases completed.")
    if failed:
        messages.fail(f"{len(failed)} of {len(cases)} cases failed; see {errors_name}.")
    return RunOutcome(tuple(completed.values()), tuple(failed))


def _write_errors(path: Path, failed: list[FailedCase]) -> None:
    lines = [json.dumps(asdict(each)) + "\n" for each in failed]
    replace_file(path, "".join(lines).encode(), "list of errors")


def _write_table(
    path: Path, cases: list[Case], completed: dict[str, CompletedCase], failed: list[FailedCase]
) -> None:
    tables = {name: case.files["csv"] for name, case in completed.items()}
    failures = {each.case: each.error for each in failed}
    write_joint_table(path, tables, failures, (case.name for case in cases))


def run_sequentially(
    cases: list[Case], out: Path, request: SegmentRequest, messages: Messages
) -> Iterator[CaseOutcome]:
    """Segment the cases one after another in this process; one scan at a time is in memory."""
    if not cases:
        return
    segmenter = request.network.load()
    for number, case in enumerate(cases, 1):
        with messages.progress(f"Case {number}/{len(cases)}") as progress:
            outcome = try_case(case, out, request, segmenter, progress)
        yield case, outcome


def try_case(
    case: Case,
    out: Path,
    request: SegmentRequest,
    segmenter: Segmenter,
    progress: Progress = ignore_progress,
) -> CompletedCase | FailedCase:
    """Segment a case, or report the error that it raises."""
    try:
        return segment_case(case, out, request, segmenter=segmenter, progress=progress)
    except Exception as error:
        return FailedCase.from_error(case, error)
