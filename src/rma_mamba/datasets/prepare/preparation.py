"""From a checked dataset to a folder that trainings read; can be interrupted and taken up again."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pydantic

from rma_mamba.datasets.audit import AuditResult
from rma_mamba.datasets.layouts.index import IndexedCase
from rma_mamba.datasets.prepare.case_writer import make_case
from rma_mamba.datasets.prepare.manifest import (
    Manifest,
    PreparedCase,
    files_of,
    read_manifest,
    write_manifest,
)
from rma_mamba.datasets.prepare.recipe_data import RECIPE_TABLE, recipe_table
from rma_mamba.errors import ConfigError, DataError
from rma_mamba.files import replace_file
from rma_mamba.slicing import SliceRecipe


@dataclass(frozen=True)
class PreparationOptions:
    """What is up to the user.

    Args:
        lenient: Leave out the cases with an error instead of refusing all.
        pictures: Write each slice of a volume as a PNG, too.
        ct_window_hu: Hounsfield units that are black and white, and that the recipe's table asks for.
        folds: For cohorts without a published split.
    """

    lenient: bool = False
    pictures: bool = False
    ct_window_hu: tuple[float, float] = (-160.0, 240.0)
    folds: int = 5


def prepare(
    report: AuditResult,
    out: str | Path,
    choices: PreparationOptions | None = None,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> Manifest:
    """Write all cases of a checked dataset as upright volumes with labels 0 and 1.

    Volumes are uncompressed NIfTI with the source's own values, so that any recipe can read them; pictures
    stay pictures. A case whose source has not changed since the last time is not made again, and what an
    earlier preparation made of a case that is gone is removed.

    Args:
        report: As `audit` gives it.
        out: The folder; empty, or one that was prepared before.
        choices: None: the defaults.
        progress: Called with the number of cases done and of all.

    Raises:
        DataError: The report has errors (unless lenient), or no case is left.
        ConfigError: The folder holds something else, or the window does not ascend.
        ScanError, GridError: A file cannot be read or written.
    """
    choices, folder = choices or PreparationOptions(), Path(out)
    left_out = _left_out(report, choices.lenient)
    recipe = _recipe(choices.ct_window_hu)
    before = _earlier(folder, report.dataset.name)
    entries = [entry for entry in report.dataset.entries if entry.name not in left_out]
    if not entries:
        raise DataError("no case is left to prepare; expected some. Repair the dataset.")
    manifest = Manifest(
        dataset=report.dataset.name,
        ct_window_hu=choices.ct_window_hu,
        pictures=choices.pictures,
        notes=report.dataset.notes,
        left_out=left_out,
        cases=tuple(_planned(entries)),
    )
    if before is not None:
        manifest = _taken_up(folder, before, manifest)
    write_manifest(folder, manifest)
    for number, (entry, case) in enumerate(zip(entries, manifest.cases, strict=True)):
        progress(number, len(entries))
        made = make_case(folder, entry, case, recipe, pictures=choices.pictures)
        if made is not case:
            cases = (*manifest.cases[:number], made, *manifest.cases[number + 1 :])
            manifest = manifest.model_copy(update={"cases": cases})
            write_manifest(folder, manifest)
    progress(len(entries), len(entries))
    table = recipe_table(manifest, folder, choices.folds, report.dataset.folds)
    replace_file(folder / RECIPE_TABLE, table.encode(), "recipe's table")
    manifest = manifest.model_copy(update={"complete": True})
    write_manifest(folder, manifest)
    return manifest


def _left_out(report: AuditResult, lenient: bool) -> dict[str, str]:
    """The cases with an error, and why.

    Raises:
        DataError: There are some, and they shall not be left out.
    """
    if report.errors and not lenient:
        raise DataError(
            f"the dataset has {len(report.errors)} errors in {len(report.bad_cases)} cases; expected none. "
            "See them with `rma-mamba data check` and repair them, or leave these cases out with --lenient."
        )
    return {case: finding.text for finding in reversed(report.errors) for case in finding.cases}


def _recipe(window: tuple[float, float]) -> SliceRecipe:
    try:
        return SliceRecipe(ct_window_hu=window)
    except pydantic.ValidationError:
        raise ConfigError(
            f"the window is {window[0]:g} to {window[1]:g} HU; expected a lower, then a higher number. "
            "Change --window-hu."
        ) from None


def _earlier(folder: Path, dataset: str) -> Manifest | None:
    """What was prepared here before.

    Raises:
        ConfigError: The folder holds something else.
    """
    before = read_manifest(folder) if folder.is_dir() else None
    other = before is not None and before.dataset != dataset
    foreign = before is None and folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
    if other or foreign:
        raise ConfigError(
            f"the output folder holds {'another dataset' if other else 'other files'}; expected an empty one, "
            "or one that was prepared from this dataset. Choose another folder."
        )
    return before


def _planned(entries: Sequence[IndexedCase]) -> list[PreparedCase]:
    """Where each case goes."""
    stems: dict[tuple[str, str], str] = {}
    used: Counter[tuple[str, str]] = Counter()
    cases = []
    for entry in entries:
        place = _slug(entry.sequence).lower()
        patient = stems.setdefault((entry.cohort, entry.patient), _stem(entry, stems))
        used[place, patient] += 1
        count = used[place, patient]
        cases.append(
            PreparedCase(
                name=entry.name,
                patient=entry.patient,
                cohort=entry.cohort,
                sequence=entry.sequence,
                kind=entry.kind,
                side=entry.side,
                place=place,
                stem=patient if count == 1 else f"{patient}__{count}",
                liver=tuple(sorted(entry.rule.liver)),
            )
        )
    return cases


def _stem(entry: IndexedCase, stems: dict[tuple[str, str], str]) -> str:
    """The patient as a file's name, another one than all others', in capitals or not."""
    stem = _slug(entry.patient)
    taken = {each.lower() for (cohort, _), each in stems.items() if cohort == entry.cohort}
    if stem.lower() not in taken:
        return stem
    return f"{stem}-{sha256(entry.patient.encode()).hexdigest()[:8]}"


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9.-]+", "-", text).strip("-.") or "x"


def _taken_up(folder: Path, before: Manifest, planned: Manifest) -> Manifest:
    """The plan with the cases that are done already; files of those that are gone are removed.

    The table for recipes is removed too, until all is done again.
    """
    (folder / RECIPE_TABLE).unlink(missing_ok=True)
    places = {(case.place, case.stem) for case in planned.cases}
    for case in before.cases:
        if (case.place, case.stem) not in places:
            for path in files_of(folder, case):
                with suppress(FileNotFoundError):
                    path.unlink()
    choices = {"pictures", "ct_window_hu"}
    if before.model_dump(include=choices) != planned.model_dump(include=choices):
        return planned
    plan = {"name", "patient", "cohort", "sequence", "kind", "side", "place", "stem", "liver"}
    done = {case.name: case for case in before.cases if case.done}
    cases = [
        done[case.name]
        if case.name in done
        and done[case.name].model_dump(include=plan) == case.model_dump(include=plan)
        else case
        for case in planned.cases
    ]
    return planned.model_copy(update={"cases": tuple(cases)})
