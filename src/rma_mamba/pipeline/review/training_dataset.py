"""A dataset for training from reviewed cases: their scans, and the masks that a person has accepted or corrected."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rma_mamba.datasets.audit import audit
from rma_mamba.datasets.layouts import DatasetIndex, IndexedCase, LayoutOptions
from rma_mamba.datasets.prepare import Manifest, PreparationOptions, prepare
from rma_mamba.datasets.splits import patient_id
from rma_mamba.errors import ConfigError, DataError, RmaMambaError
from rma_mamba.labels import LabelRule
from rma_mamba.pipeline.case_report import read_identity
from rma_mamba.pipeline.json_files import write_json_file
from rma_mamba.pipeline.provenance import input_sha256
from rma_mamba.pipeline.request import ReadOptions
from rma_mamba.pipeline.review.case_status import modality_of_case
from rma_mamba.pipeline.review.corrected_mask import scheme_of_case
from rma_mamba.pipeline.review.result_scans import (
    name_of_scan,
    read_scan_of_result,
    reading_of_result,
    series_of_result,
)
from rma_mamba.pipeline.review.reviewed_cases import ReviewedCase, reviewed_cases
from rma_mamba.scans import write_scan
from rma_mamba.volume import Volume

VERSIONS_FILE = "versions.json"
SOURCES_FOLDER = "volumes"

_DATASET = "review"
_ACCEPTED = ("accepted", "corrected")


@dataclass(frozen=True)
class ExportOptions:
    """Options of an export.

    Args:
        scans: Folder of the scans; None: the folder of the results or the one that contains it.
        states: Decisions whose cases are exported.
        patient: Regular expression over the name of a case; its first group is the patient ID. None: the patient ID of
            a DICOM scan, pseudonymised, else the name.
        folds: Number of folds into which patients are divided.

    Raises:
        ConfigError: There is no such state, or its masks are not reviewed.
    """

    scans: Path | None = None
    states: tuple[str, ...] = _ACCEPTED
    patient: str | None = None
    folds: int = 5

    def __post_init__(self) -> None:
        if unknown := [state for state in self.states if state not in _ACCEPTED]:
            raise ConfigError(
                f"cases in the state '{unknown[0]}' are no training data; expected {' or '.join(_ACCEPTED)}. "
                "Choose one of these."
            )


def export_training_dataset(
    folder: Path,
    out: Path,
    options: ExportOptions = ExportOptions(),
    progress: Callable[[int, int], None] = lambda *_: None,
) -> Manifest:
    """Write the reviewed cases of a folder as a prepared dataset, whose `recipe_data.toml` training reads.

    A later export to the same folder writes new and changed cases only. `versions.json` names the version of each mask,
    who made it and who has accepted it.

    Args:
        folder: Folder of results, or a folder of scans that was served.
        out: Output folder: empty, or of an earlier export.
        options: Which cases, and how patients are distinguished.
        progress: Called with the number of finished cases and the number of all cases.

    Raises:
        DataError: No case was accepted or corrected, or none can be used.
        ScanError, ConfigError: A folder cannot be searched or written.
    """
    reviewed = reviewed_cases(folder, options.states, options.scans)
    usable = [each for each in reviewed if each.scan is not None]
    if not usable:
        raise DataError(_nothing(reviewed, options))
    layout = LayoutOptions(patient=options.patient)
    cases = [_indexed(each, out, layout) for each in usable]
    missing = len(reviewed) - len(usable)
    notes = (f"{missing} reviewed cases without their scan: skipped.",) if missing else ()
    result = audit(DatasetIndex(_DATASET, tuple(cases), notes), quick=True)
    choices = PreparationOptions(lenient=True, folds=options.folds)
    manifest = prepare(result, out, choices, progress)
    records = {each.name: _record(each) for each in usable}
    write_json_file(out / VERSIONS_FILE, {"cases": records}, "list of versions")
    return manifest


def _indexed(case: ReviewedCase, out: Path, layout: LayoutOptions) -> IndexedCase:
    scheme = scheme_of_case(case.folder)
    values = scheme.liver_values
    known = frozenset(range(1, len(scheme) + 1))
    patient = layout.patient_of(case.name) if layout.patient else _patient(case)
    return IndexedCase(
        name=case.name,
        patient=patient_id(patient),
        dataset=_DATASET,
        sequence="reviewed",
        kind="volume",
        images=(_image(case, out),),
        labels=(case.mask,),
        rule=LabelRule(frozenset(values), known),
        modality=modality_of_case(case.folder),
        classes={name: scheme.values_of(name) for name in scheme.names},
    )


def _image(case: ReviewedCase, out: Path) -> Path:
    """The scan as one volume; a volume of a 4-D scan, or a series that was chosen, is written to a file of its own."""
    assert case.scan is not None
    scan, reading = case.scan.scan, reading_of_result(case.folder)
    is_chosen = series_of_result(case.folder, scan, case.source) is not None
    if case.scan.volume is None and reading == ReadOptions() and not is_chosen:
        return scan
    name = hashlib.sha256(case.name.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    path = out.with_name(f"{out.name}-{SOURCES_FOLDER}") / f"{name}.nii.gz"
    if not path.exists():
        write_scan(_scan(case), path)
    return path


def _patient(case: ReviewedCase) -> str:
    """The patient of a DICOM scan as a pseudonym, so that all scans of a patient are in one split; else the name."""
    assert case.scan is not None
    name = name_of_scan(case.name)
    if not case.scan.scan.is_dir():
        return name.replace("/", "-")
    try:
        stated = dict(read_identity(_scan(case)))
    except RmaMambaError:
        stated = {}
    identity = [value for name, value in stated.items() if "patient" in name.lower() and value]
    if not identity:
        return name.replace("/", "-")
    return f"p{hashlib.sha256(repr(identity).encode()).hexdigest()[:12]}"


def _scan(case: ReviewedCase) -> Volume:
    assert case.scan is not None
    return read_scan_of_result(
        case.folder, case.scan.scan, volume=case.scan.volume, mask=case.source
    )


def _record(case: ReviewedCase) -> dict[str, Any]:
    assert case.scan is not None
    return {
        **asdict(case.version),
        "review": asdict(case.decision),
        "input_sha256": input_sha256(case.scan.scan),
    }


def _nothing(reviewed: Sequence[ReviewedCase], options: ExportOptions) -> str:
    if reviewed:
        return (
            f"the scans of {len(reviewed)} reviewed cases were not found; expected them in the folder, or beside the "
            "results. Pass their folder with --scans."
        )
    states = " or ".join(options.states)
    return (
        f"no case of the folder is {states}; expected at least one. "
        "Review cases with `rma-mamba serve` first."
    )
