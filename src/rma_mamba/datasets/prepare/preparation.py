"""Conversion of an audited dataset into a folder for training; it can be interrupted and resumed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pydantic

from rma_mamba.conventions import ABDOMEN_WINDOW_HU
from rma_mamba.datasets.audit import AuditResult
from rma_mamba.datasets.layouts.index import IndexedCase
from rma_mamba.datasets.prepare.case_writer import write_case
from rma_mamba.datasets.prepare.class_values import scheme_of
from rma_mamba.datasets.prepare.manifest import (
    Manifest,
    PreparedCase,
    read_manifest,
    write_manifest,
)
from rma_mamba.datasets.prepare.planning import plan_cases, resume_plan
from rma_mamba.datasets.prepare.recipe_data import RECIPE_DATA, recipe_data
from rma_mamba.datasets.processes import mapped
from rma_mamba.deprecation import with_renamed_arguments
from rma_mamba.errors import ConfigError, DataError
from rma_mamba.files import replace_file
from rma_mamba.label_scheme import LabelScheme
from rma_mamba.slicing import SliceRecipe

_INTERVAL_S = 1.0  # between two writes of the manifest


@dataclass(frozen=True)
class PreparationOptions:
    """Options of a preparation.

    Args:
        lenient: Leave out cases with errors instead of rejecting the dataset.
        png: Also write the slices of volumes as PNG files.
        ct_window_hu: Lower and upper end of the CT window in HU, for PNG files and for the recipe.
        folds: Number of folds for datasets without a published split.
        classes: Names of the classes to be prepared, with their label values; no values: as the dataset names them.
            Empty: the liver alone.
    """

    lenient: bool = False
    png: bool = False
    ct_window_hu: tuple[float, float] = ABDOMEN_WINDOW_HU
    folds: int = 5
    classes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


# The constructor also accepts the deprecated keyword argument `pictures`.
PreparationOptions.__init__ = with_renamed_arguments(pictures="png")(PreparationOptions.__init__)  # type: ignore[method-assign]


def prepare(
    result: AuditResult,
    out: str | Path,
    options: PreparationOptions | None = None,
    progress: Callable[[int, int], None] = lambda *_: None,
    *,
    jobs: int = 1,
) -> Manifest:
    """Write all cases of an audited dataset as LPS volumes with labels 0 and 1, or label maps of several classes.

    Volumes are uncompressed NIfTI with unchanged intensities, so that any recipe can read them; slices are PNG. Cases
    whose original files have not changed since an earlier preparation are not written again, and the files of cases
    that are no longer in the dataset are deleted.

    Args:
        result: As returned by `audit`.
        out: Output folder: empty, or prepared from this dataset before.
        options: None: the defaults.
        progress: Called with the number of finished cases and the number of all cases.
        jobs: Number of processes that write cases.

    Raises:
        DataError: The dataset has errors (unless lenient), or no case is left.
        ConfigError: The output folder contains other files, the ends of the window are not in ascending order, or PNG
            slices of cases with several channels are requested.
        ScanError, GridError: A file cannot be read or written.
    """
    options, folder, dataset = options or PreparationOptions(), Path(out), result.dataset
    left_out = _left_out(result, options.lenient)
    recipe = _recipe(options.ct_window_hu)
    before = _earlier_manifest(folder, dataset.name)
    cases = [case for case in dataset.cases if case.name not in left_out]
    if not cases:
        first = next(
            (f" The first error, of {case}: {text}" for case, text in left_out.items()), ""
        )
        raise DataError(
            f"no case is left to prepare; expected at least one. Repair the dataset.{first}"
        )
    if options.png and any(case.channels for case in cases):
        raise ConfigError(
            "PNG slices are requested of cases with several channels, and a slice has one; expected volumes. "
            "Omit --png or --channel."
        )
    planned = plan_cases(cases, options.classes)
    labels = scheme_of([case.classes for case in planned]) if options.classes else LabelScheme()
    manifest = Manifest(
        dataset=dataset.name,
        ct_window_hu=options.ct_window_hu,
        png=options.png,
        notes=dataset.notes,
        left_out=left_out,
        labels=labels,
        cases=planned,
    )
    if before is not None:
        manifest = resume_plan(folder, before, manifest)
    write_manifest(folder, manifest)
    pairs = list(zip(cases, manifest.cases, strict=True))
    write = partial(_write_pair, folder, recipe, options.png, labels)
    records, stored_at = list(manifest.cases), time.monotonic()
    try:
        for number, written in enumerate(mapped(write, pairs, jobs)):
            progress(number, len(cases))
            records[number] = written
            # a long manifest takes as long to write as a case
            if time.monotonic() - stored_at > _INTERVAL_S:
                write_manifest(folder, _with_cases(manifest, records))
                stored_at = time.monotonic()
    finally:
        manifest = _with_cases(manifest, records)
        write_manifest(folder, manifest)
    progress(len(cases), len(cases))
    table = recipe_data(manifest, folder, options.folds, dataset.folds)
    replace_file(folder / RECIPE_DATA, table.encode(), "data table of the recipe")
    manifest = manifest.model_copy(update={"complete": True})
    write_manifest(folder, manifest)
    return manifest


def _with_cases(manifest: Manifest, records: Sequence[PreparedCase]) -> Manifest:
    return manifest.model_copy(update={"cases": tuple(records)})


def _write_pair(
    folder: Path,
    recipe: SliceRecipe,
    png: bool,
    labels: LabelScheme,
    pair: tuple[IndexedCase, PreparedCase],
) -> PreparedCase:
    return write_case(folder, *pair, recipe, png=png, labels=labels)


def _left_out(result: AuditResult, lenient: bool) -> dict[str, str]:
    """The cases with errors, and the first error of each.

    Raises:
        DataError: There are errors, and `lenient` is false.
    """
    if result.errors and not lenient:
        raise DataError(
            f"the dataset has {len(result.errors)} errors in {len(result.cases_with_errors)} cases; expected none. "
            "List them with `rma-mamba data check` and repair them, or leave these cases out with --lenient."
        )
    return {case: finding.text for finding in reversed(result.errors) for case in finding.cases}


def _recipe(window: tuple[float, float]) -> SliceRecipe:
    try:
        return SliceRecipe(ct_window_hu=window)
    except pydantic.ValidationError:
        raise ConfigError(
            f"the window is {window[0]:g} to {window[1]:g} HU; expected a lower, then a higher number. "
            "Change --window-hu."
        ) from None


def _earlier_manifest(folder: Path, dataset: str) -> Manifest | None:
    """The manifest of an earlier preparation.

    Raises:
        ConfigError: The folder contains other files.
    """
    before = read_manifest(folder) if folder.is_dir() else None
    other = before is not None and before.dataset != dataset
    foreign = before is None and folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
    if other or foreign:
        raise ConfigError(
            f"the output folder contains {'another dataset' if other else 'other files'}; expected an empty folder, "
            "or one that was prepared from this dataset. Choose another folder."
        )
    return before
