"""Plan of a prepared folder: where each case goes, and which cases of an earlier preparation are kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType

from rma_mamba.datasets.layouts.index import IndexedCase
from rma_mamba.datasets.prepare.class_values import class_values
from rma_mamba.datasets.prepare.manifest import Manifest, PreparedCase, files_of, slug
from rma_mamba.datasets.prepare.recipe_data import RECIPE_DATA

# Fields that are known before a case is written.
_PLANNED = {
    "name",
    "patient",
    "dataset",
    "sequence",
    "kind",
    "split",
    "place",
    "stem",
    "liver",
    "classes",
    "intensity",
    "channels",
    "resample",
}


def plan_cases(
    cases: Sequence[IndexedCase], classes: Mapping[str, tuple[int, ...]] = MappingProxyType({})
) -> tuple[PreparedCase, ...]:
    """Records of cases that are still to be written, with the names of their files.

    Args:
        cases: The cases.
        classes: Classes to be prepared, with their label values; none: as the dataset names them.
    """
    stems: dict[tuple[str, str], str] = {}
    used: Counter[tuple[str, str]] = Counter()
    planned = []
    for case in cases:
        place = slug(case.sequence).lower()
        patient = stems.setdefault((case.dataset, case.patient), _stem(case, stems))
        used[place, patient] += 1
        count = used[place, patient]
        planned.append(
            PreparedCase(
                name=case.name,
                patient=case.patient,
                dataset=case.dataset,
                sequence=case.sequence,
                kind=case.kind,
                split=case.split,
                place=place,
                stem=patient if count == 1 else f"{patient}__{count}",
                liver=tuple(sorted(case.rule.liver)),
                classes=class_values(case, classes),
                intensity="stored" if case.kind == "slices" else "scan",
                channels=case.channel_names,
                resample=case.resample,
            )
        )
    return tuple(planned)


def resume_plan(folder: Path, before: Manifest, planned: Manifest) -> Manifest:
    """The plan with the cases that an earlier preparation has finished.

    Files of cases that are no longer in the dataset are deleted, and so is the data table of the recipe until all cases
    are done again.
    """
    (folder / RECIPE_DATA).unlink(missing_ok=True)
    places = {(case.place, case.stem) for case in planned.cases}
    for case in before.cases:
        if (case.place, case.stem) not in places:
            for path in files_of(folder, case):
                with suppress(FileNotFoundError):
                    path.unlink()
    options = {"png", "ct_window_hu", "labels"}
    if before.model_dump(include=options) != planned.model_dump(include=options):
        return planned
    done = {case.name: case for case in before.cases if case.done}
    cases = tuple(_finished_or_planned(done.get(case.name), case) for case in planned.cases)
    return planned.model_copy(update={"cases": cases})


def _finished_or_planned(done: PreparedCase | None, planned: PreparedCase) -> PreparedCase:
    """The finished record if it fits the plan, else the plan."""
    if done is None:
        return planned
    same = done.model_dump(include=_PLANNED) == planned.model_dump(include=_PLANNED)
    return done if same else planned


def _stem(case: IndexedCase, stems: dict[tuple[str, str], str]) -> str:
    """The patient ID as a file name that is unique within the dataset, regardless of case."""
    stem = slug(case.patient)
    taken = {each.lower() for (dataset, _), each in stems.items() if dataset == case.dataset}
    if stem.lower() not in taken:
        return stem
    return f"{stem}-{sha256(case.patient.encode()).hexdigest()[:8]}"
