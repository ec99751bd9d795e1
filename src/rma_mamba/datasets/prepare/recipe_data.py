"""The `[data]` table of a recipe that reads a prepared folder."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from rma_mamba.datasets.layouts.case_reader import PIXEL_MM
from rma_mamba.datasets.layouts.index import natural_key
from rma_mamba.datasets.prepare.manifest import Manifest, PreparedCase

RECIPE_TABLE = "recipe_data.toml"

_VOLUME_PATIENT, _SLICE_PATIENT = r"(.+?)(__\d+)?\.nii", r"(.+?)(__\d+)?_z\d+\.png"


def recipe_table(
    manifest: Manifest, root: Path, folds: int, published: Sequence[Sequence[str]]
) -> str:
    """Root, sources and splits as TOML: a recipe by itself, whose other settings are the defaults.

    Args:
        manifest: Of the folder.
        root: The folder.
        folds: Into so many a cohort without a published split is divided, as far as its patients suffice.
        published: Patients that validate in each fold that the dataset publishes.
    """
    window = ", ".join(f"{each:g}" for each in manifest.ct_window_hu)
    lines = [
        f"# Made by `rma-mamba data prepare` from {manifest.dataset}. By itself a recipe with the default settings;",
        "# in a recipe of your own these tables take the place of its root, splits and sources.",
        "",
        "[data]",
        f"root = {_text(str(root.resolve()))}",
    ]
    if any(case.modality == "CT" for case in manifest.cases):
        lines += ["", "[data.recipe]", f"ct_window_hu = [{window}]"]
    for cohort in dict.fromkeys(case.cohort for case in manifest.cases):
        members = [case for case in manifest.cases if case.cohort == cohort]
        lines += ["", f"[data.splits.{_text(cohort)}]", *_split(members, folds, published)]
    for sequence in dict.fromkeys(case.sequence for case in manifest.cases):
        lines += _source([case for case in manifest.cases if case.sequence == sequence])
    return "\n".join(lines) + "\n"


def file_patient(case: PreparedCase) -> str:
    """The patient as its file's name gives it back."""
    return case.stem.split("__")[0]


def _split(
    cases: Sequence[PreparedCase], folds: int, published: Sequence[Sequence[str]]
) -> Iterator[str]:
    named = {case.patient: file_patient(case) for case in cases}
    sides = {side: _patients(cases, side) for side in ("valid", "test")}
    free = {case.patient for case in cases if case.side is None}
    if sides["test"]:
        yield f"test = {_list(sides['test'])}"
    if sides["valid"]:
        yield f"valid = {_list(sides['valid'])}"
    elif free and published:
        parts = [_list(named[each] for each in fold if each in named) for fold in published]
        yield f"published = [\n    {', '.join(parts)},\n]"
        yield "fold = 0"
    elif len(free) > 1:
        yield f"folds = {min(folds, len(free))}"
        yield "fold = 0"


def _patients(cases: Sequence[PreparedCase], side: str) -> list[str]:
    return sorted({file_patient(case) for case in cases if case.side == side}, key=natural_key)


def _source(cases: Sequence[PreparedCase]) -> list[str]:
    first = cases[0]
    volumes = first.kind == "volume"
    lines = [
        "",
        "[[data.sources]]",
        f"name = {_text(first.sequence)}",
        f'kind = "{"volumes" if volumes else "slices"}"',
        f"cohort = {_text(first.cohort)}",
        f"images = {_text(f'{first.place}/images')}",
        f"labels = {_text(f'{first.place}/labels')}",
        f"patient = '{_VOLUME_PATIENT if volumes else _SLICE_PATIENT}'",
    ]
    if not volumes:
        return [
            *lines,
            "ordered = true",
            f"pixel_mm = {PIXEL_MM}  # a guess: pictures do not say it",
        ]
    modalities = {case.modality for case in cases}
    known = len(modalities) == 1 and first.modality is not None
    return [*lines, f"modality = {_text(str(first.modality))}"] if known else lines


def _list(names: Iterable[str]) -> str:
    return json.dumps(list(names), ensure_ascii=False)


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
