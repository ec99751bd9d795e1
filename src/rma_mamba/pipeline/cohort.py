"""Many scans with one network in memory: one that fails does not stop the rest."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rma_mamba.errors import ConfigError
from rma_mamba.files import remove_unfinished, replace_file
from rma_mamba.pipeline import exit_codes
from rma_mamba.pipeline.case import YOUNG_S, Finished, segment_case
from rma_mamba.pipeline.discovery import Case
from rma_mamba.pipeline.messages import Messages, Progress
from rma_mamba.pipeline.request import Request
from rma_mamba.scans.writers import MASK_SUFFIXES

if TYPE_CHECKING:
    from rma_mamba.inference import Segmenter


@dataclass(frozen=True)
class Failure:
    """A line of errors.jsonl: the case by the name that the user gave it, and what went wrong."""

    case: str
    error: str
    message: str

    @classmethod
    def of(cls, case: Case, error: Exception) -> Failure:
        """From what was raised."""
        return cls(case.name, type(error).__name__, exit_codes.describe(error)[0])


Outcome = tuple[Case, Finished | Failure]
Engine = Callable[[list[Case], Path, Request, Messages], Iterable[Outcome]]


def segment_cohort(
    cases: list[Case],
    out: Path,
    request: Request,
    messages: Messages,
    engine: Engine,
    errors: str = "errors.jsonl",
) -> int:
    """Segment all cases into `out/<case>/`; what failed is listed in a file, which is missing if nothing did.

    Args:
        cases: The scans.
        out: Folder of the results.
        request: What was asked for.
        messages: Where progress is said.
        engine: What runs the cases, here or elsewhere.
        errors: Name of that file.

    Returns:
        The exit code: 0, or 3 if some cases failed.

    Raises:
        ConfigError: `out` cannot be a folder.
        WeightsError, BackendError: The network cannot run at all.
    """
    if str(out).endswith(MASK_SUFFIXES) or out.is_file():
        raise ConfigError(
            f"the input is {len(cases)} scans, and the output one file; expected a folder. "
            "Give the name of a folder."
        )
    remove_unfinished(out, min_age_s=YOUNG_S)
    (out / errors).unlink(missing_ok=True)
    failed: list[Failure] = []
    for number, (_, outcome) in enumerate(engine(cases, out, request, messages), 1):
        place = f"[{number}/{len(cases)}]"  # a case's name may be a person's: it is not printed
        if isinstance(outcome, Failure):
            failed.append(outcome)
            lines = [json.dumps(asdict(failure)) + "\n" for failure in failed]
            replace_file(out / errors, "".join(lines).encode(), "list of errors")
            messages.fail(f"{place} {outcome.message}")
        else:
            messages.warn(f"{place} {warning}" for warning in outcome.warnings)
            messages.note(f"{place} {'. '.join(outcome.lines[:2])}")
    messages.note(f"{len(cases) - len(failed)} of {len(cases)} cases done.")
    if failed:
        messages.fail(f"{len(failed)} of {len(cases)} cases failed; {errors} has them.")
    return exit_codes.SOME_CASES_FAILED if failed else 0


def one_after_another(
    cases: list[Case], out: Path, request: Request, messages: Messages
) -> Iterator[Outcome]:
    """The cases in this process; one scan at a time is in memory."""
    if not cases:
        return
    segmenter = request.network.load()
    for number, case in enumerate(cases, 1):
        with messages.progress(f"Case {number}/{len(cases)}") as progress:
            outcome = try_case(case, out, request, lambda: segmenter, progress)
        yield case, outcome


def try_case(
    case: Case,
    out: Path,
    request: Request,
    load: Callable[[], Segmenter],
    progress: Progress,
) -> Finished | Failure:
    """A case, or what went wrong with it."""
    try:
        return segment_case(case, out, request, load, progress)
    except Exception as error:
        return Failure.of(case, error)
