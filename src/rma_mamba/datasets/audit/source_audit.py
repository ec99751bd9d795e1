"""The quick check of the data of a recipe: what training, evaluation and benchmarks run before they start."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from rma_mamba.files import remove_outdated, replace_file
from rma_mamba.folder_tree import as_text
from rma_mamba.labels import LabelRule

CHECKS = "data_checks.json"

FileState = tuple[str, int, int]  # path, size, time of the last change

_SHOWN = 3  # errors in one message
_GREY = frozenset({1})

# In this process: a benchmark trains many networks on the same data. By the cases and the states of their files.
_checked: dict[frozenset[tuple[IndexedCase, tuple[FileState, ...]]], list[Finding]] = {}


def require_sound_data(
    data: DataConfig | Sequence[DataConfig],
    splits: Sequence[Split],
    *,
    lenient: bool = False,
    warn: Callable[[Sequence[str]], None] = lambda _: None,
    record: Path | None = None,
) -> list[dict[str, Any]]:
    """Check the data of a recipe without a network, and reject them if there are errors.

    The same image in two training cases is a warning: no image of validation or test is then trained on.

    Args:
        data: Sources and splits; several, such as the folds of a cross-validation, are checked together.
        splits: Splits whose files are read.
        lenient: Pass the errors to `warn`, and go on with all cases.
        warn: Receives warnings, and the errors of lenient checks, one sentence each.
        record: Folder in which lenient checks write their errors, as `record_data_errors`, and from which others remove
            those of earlier results; None: they are not written.

    Returns:
        The errors.

    Raises:
        DataError: There are errors, and `lenient` is false; or a patient is in two splits, in any case.
        ConfigError: A folder is missing, or the recipe does not fit the data.
        ScanError: The record cannot be written.
    """
    errors, harmless = _errors([data] if isinstance(data, DataConfig) else data, splits)
    warn([f"{_sentence(each)} Both are in training." for each in harmless[:_SHOWN]])
    if len(harmless) > _SHOWN:
        warn([f"{len(harmless) - _SHOWN} more pairs of training cases have the same image."])
    if errors and not lenient:
        shown = "; ".join(map(_sentence, errors[:_SHOWN]))
        more = f"; and {len(errors) - _SHOWN} more" if len(errors) > _SHOWN else ""
        raise DataError(
            f"the data have {len(errors)} errors: {shown.rstrip('.')}{more}; expected none. "
            "Correct them, or use all cases as they are with --lenient."
        )
    warn([_sentence(finding) for finding in errors])
    found = [asdict(finding) for finding in errors]
    if record is not None and lenient:
        record_data_errors(record, found)
    elif record is not None:
        remove_outdated(record / CHECKS, "list of data errors")
    return found


def record_data_errors(folder: Path, errors: Sequence[Mapping[str, Any]]) -> None:
    """Write `data_checks.json`: results in this folder are based on data with these errors, or with none.

    Raises:
        ScanError: The file cannot be written.
    """
    content = json.dumps({"lenient": True, "errors": list(errors)}, indent=1)
    replace_file(folder / CHECKS, content.encode(), "list of data errors")


def data_errors(folder: Path) -> list[dict[str, Any]]:
    """The errors that `record_data_errors` wrote to a folder; empty if there is no such file, or a damaged one."""
    try:
        found: list[dict[str, Any]] = json.loads((folder / CHECKS).read_bytes())["errors"]
    except (OSError, ValueError, KeyError, TypeError):
        return []
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


def _errors(
    configs: Sequence[DataConfig], splits: Sequence[Split]
) -> tuple[list[Finding], list[Finding]]:
    """The errors of all configurations, each once, and apart from them duplicates among training cases.

    A case that several configurations have is read once.
    """
    found: dict[Finding, None] = {}
    cases: dict[IndexedCase, None] = {}
    used: dict[str, set[Split]] = {}  # splits of a case, over all configurations
    for config in configs:
        files = SourceFiles(config)
        files.check_leakage()
        found.update(dict.fromkeys(unknown_patients(files)))
        for source in config.sources:
            for split in splits:
                for case in _cases(files, source, split):
                    cases[case] = None
                    used.setdefault(case.name, set()).add(split)
    errors = _errors_of(tuple(cases))
    harmless = [
        each
        for each in errors
        if each.kind == "duplicate image"
        and len(each.cases) > 1
        and all(used[name] == {"train"} for name in each.cases)
    ]
    found.update((each, None) for each in errors if each not in harmless)
    return list(found), harmless


def _errors_of(cases: tuple[IndexedCase, ...]) -> list[Finding]:
    key = frozenset((case, tuple(map(_state, case.files))) for case in cases)
    if key not in _checked:
        result = audit(DatasetIndex("recipe", cases), quick=True, jobs=usable_cores())
        # equal labels alone are no reason to reject data: images and labels may be synthetic
        _checked[key] = [each for each in result.errors if each.kind != "duplicate label"]
    return _checked[key]


def _state(path: Path) -> FileState:
    """What changes when a file is corrected, so that it is checked again."""
    try:
        state = path.stat()
    except OSError:  # reported when the file is read
        return str(path), 0, 0
    return str(path), state.st_size, state.st_mtime_ns


def _cases(files: SourceFiles, source: SourceConfig, split: Split) -> Iterator[IndexedCase]:
    """The cases of a split. They do not name it: folds have the same cases in other splits."""
    volumes = source.kind == "volumes"
    make = partial(
        IndexedCase,
        dataset=source.dataset,
        sequence=source.name,
        kind="volume" if volumes else "slices",
        rule=_rule(files, source),
        modality=source.modality,
    )
    for patient, images in files.images(source, split).items():
        name = f"{source.name}/{patient}"
        if not volumes:
            labels = tuple(_label(files, source, path) for path in images)
            channels = (files.channels(source, path) for path in images)
            yield make(
                name=name,
                patient=patient,
                images=tuple(images),
                labels=labels,
                slice_channels=tuple(each for each in channels if each),
            )
            continue
        for path in images:
            label = _label(files, source, path)
            shown = name if len(images) == 1 else f"{name}/{as_text(path.name)}"
            yield make(
                name=shown,
                patient=patient,
                images=(path,),
                labels=() if label is None else (label,),
                channels=files.channels(source, path),
                resample=source.resample,
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
