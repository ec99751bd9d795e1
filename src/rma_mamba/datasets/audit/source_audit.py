"""The quick check of the data of a recipe: what training, evaluation and benchmarks run before they start."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from rma_mamba.datasets.audit.dataset_audit import audit
from rma_mamba.datasets.audit.findings import Finding
from rma_mamba.datasets.config import DataConfig, SourceConfig
from rma_mamba.datasets.layouts.index import DatasetIndex, IndexedCase
from rma_mamba.datasets.processes import usable_cores
from rma_mamba.datasets.source_files import SourceFiles
from rma_mamba.datasets.splits import SPLITS, Split, patient_id
from rma_mamba.errors import ConfigError, DataError
from rma_mamba.files import replace_file
from rma_mamba.folder_tree import as_text
from rma_mamba.labels import LabelRule

CHECKS = "data_checks.json"

_SHOWN = 3  # errors in one message
_GREY = frozenset({1})

_checked: dict[
    str, list[Finding]
] = {}  # in this process: a benchmark trains many networks on the same data


def require_sound_data(
    data: DataConfig,
    splits: Sequence[Split],
    *,
    lenient: bool = False,
    warn: Callable[[Sequence[str]], None] = lambda _: None,
    record: Path | None = None,
) -> list[dict[str, Any]]:
    """Check the data of a recipe without a network, and reject them if there are errors.

    Args:
        data: Sources and splits.
        splits: Splits whose files are read.
        lenient: Pass the errors to `warn`, and go on with all cases.
        warn: Receives the errors of lenient checks, one sentence each.
        record: Folder in which lenient checks write their errors, as `data_checks.json`; None: they are not written.

    Returns:
        The errors.

    Raises:
        DataError: There are errors, and `lenient` is false; or a patient is in two splits, in any case.
        ConfigError: A folder is missing, or the recipe does not fit the data.
        ScanError: The record cannot be written.
    """
    key = data.model_dump_json(include={"root", "sources", "splits", "validation"}) + ",".join(
        splits
    )
    if key not in _checked:
        files = SourceFiles(data)
        files.check_leakage()
        _checked[key] = _errors(files, splits)
    errors = _checked[key]
    if errors and not lenient:
        shown = "; ".join(map(_sentence, errors[:_SHOWN]))
        more = f"; and {len(errors) - _SHOWN} more" if len(errors) > _SHOWN else ""
        raise DataError(
            f"the data have {len(errors)} errors: {shown.rstrip('.')}{more}; expected none. "
            "Correct them, or use all cases as they are with --lenient."
        )
    warn([_sentence(finding) for finding in errors])
    found = [asdict(finding) for finding in errors]
    if lenient and record is not None:
        content = json.dumps({"lenient": True, "errors": found}, indent=1)
        replace_file(record / CHECKS, content.encode(), "list of data errors")
    return found


def unknown_patients(files: SourceFiles) -> Iterator[Finding]:
    """An error for each patient of a split who is in no source of the dataset."""
    for dataset, config in files.config.splits.items():
        members = [source for source in files.config.sources if source.dataset == dataset]
        known = {p for source in members for split in SPLITS for p in files.images(source, split)}
        named = {
            "val": config.val,
            "test": config.test,
            "published": [each for fold in config.published for each in fold],
        }
        for split, patients in named.items():
            for patient in sorted({patient_id(each) for each in patients} - known - {"*"}):
                text = (
                    f"data.splits.{dataset}.{split} names patient {patient}, whom no source contains; expected "
                    "patients of the data. Correct the name."
                )
                yield Finding("split", "error", text)


def _errors(files: SourceFiles, splits: Sequence[Split]) -> list[Finding]:
    found = list(unknown_patients(files))
    cases = [
        case
        for source in files.config.sources
        for split in splits
        for case in _cases(files, source, split)
    ]
    result = audit(DatasetIndex("recipe", tuple(cases)), quick=True, jobs=usable_cores())
    # equal labels alone are no reason to reject data: images and labels may be synthetic
    return [*found, *(each for each in result.errors if each.kind != "duplicate label")]


def _cases(files: SourceFiles, source: SourceConfig, split: Split) -> Iterator[IndexedCase]:
    volumes = source.kind == "volumes"
    make = partial(
        IndexedCase,
        dataset=source.dataset,
        sequence=source.name,
        kind="volume" if volumes else "slices",
        rule=_rule(files, source),
        split=split,
        modality=source.modality,
    )
    for patient, images in files.images(source, split).items():
        name = f"{source.name}/{patient}"
        if not volumes:
            labels = tuple(_label(files, source, path) for path in images)
            yield make(name=name, patient=patient, images=tuple(images), labels=labels)
            continue
        for path in images:
            label = _label(files, source, path)
            shown = name if len(images) == 1 else f"{name}/{as_text(path.name)}"
            yield make(
                name=shown,
                patient=patient,
                images=(path,),
                labels=() if label is None else (label,),
            )


def _rule(files: SourceFiles, source: SourceConfig) -> LabelRule:
    """Every value that is trained on counts as liver."""
    labels = files.config.recipe.labels
    if source.kind == "slices" and labels.is_liver_only and not source.classes:
        return LabelRule(
            _GREY, _GREY
        )  # masks of slices are read by their brightness, as in training
    classes = source.class_values(labels)
    return LabelRule(frozenset(value for each in classes.values() for value in each))


def _label(files: SourceFiles, source: SourceConfig, image: Path) -> Path | None:
    try:
        return files.label(source, image)
    except ConfigError:  # reported as a missing label
        return None


def _sentence(finding: Finding) -> str:
    cases = f"{', '.join(finding.cases)}: " if finding.cases else ""
    return f"{cases}{finding.text}"
