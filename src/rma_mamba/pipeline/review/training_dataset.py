"""A dataset for training from reviewed cases: their scans, and the masks that a person has accepted or corrected."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rma_mamba.datasets.audit import audit
from rma_mamba.datasets.layouts import DatasetIndex, IndexedCase, LayoutOptions
from rma_mamba.datasets.prepare import Manifest, PreparationOptions, prepare
from rma_mamba.datasets.splits import patient_id
from rma_mamba.errors import ConfigError, DataError, RmaMambaError
from rma_mamba.labels import LabelRule
from rma_mamba.pipeline.json_files import write_json_file
from rma_mamba.pipeline.provenance import input_sha256, voxels_sha256
from rma_mamba.pipeline.review.case_status import modality_of_case
from rma_mamba.pipeline.review.corrected_mask import scheme_of_case
from rma_mamba.pipeline.review.patients import Patients
from rma_mamba.pipeline.review.result_scans import name_of_scan
from rma_mamba.pipeline.review.reviewed_cases import ReviewedCase, reviewed_cases, state_folder
from rma_mamba.pipeline.review.version_scans import scan_of_version, unchanged_file
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
    on_failure: Callable[[str, str], None] = lambda *_: None,
) -> Manifest:
    """Write the reviewed cases of a folder as a prepared dataset, whose `recipe_data.toml` training reads.

    Each mask is paired with the scan on which it was made, as it was read then: to segment a case again, on another
    series for example, does not change what was decided on. A later export to the same folder writes new and changed
    cases only. `versions.json` names the version of each mask,
    who made it and who has accepted it.

    Args:
        folder: Folder of results, or a folder of scans that was served.
        out: Output folder: empty, or of an earlier export.
        options: Which cases, and how patients are distinguished.
        progress: Called with the number of finished cases and the number of all cases.
        on_failure: Called with the name of a case that is left out because its scan is not the one on which the mask
            was made, or cannot be read, and with the reason.

    Raises:
        DataError: No case was accepted or corrected, or none can be used, because its scan is no longer there.
        ScanError, ConfigError: A folder cannot be searched or written.
    """
    decided = reviewed_cases(folder, (*options.states, "rejected"), options.scans)
    reviewed = [each for each in decided if each.decision.state in options.states]
    usable = [each for each in reviewed if each.scans]
    if not usable:
        raise DataError(_nothing(reviewed, options))
    export = _Export(
        out.with_name(f"{out.name}-{SOURCES_FOLDER}"),
        LayoutOptions(patient=options.patient),
        Patients(state_folder(folder)),
    )
    cases, failed = _cases(export, usable)
    if not cases:
        raise DataError(next(iter(failed.values())))
    for name, why in failed.items():
        on_failure(name, why)
    result = audit(DatasetIndex(_DATASET, tuple(cases), _notes(decided, reviewed)), quick=True)
    choices = PreparationOptions(lenient=True, folds=options.folds)
    manifest = prepare(result, out, choices, progress)
    export.remove_unused(cases)
    records = {each.name: _record(each) for each in usable if each.name not in failed}
    write_json_file(out / VERSIONS_FILE, {"cases": records}, "list of versions")
    return manifest.model_copy(update={"left_out": {**manifest.left_out, **failed}})


@dataclass(frozen=True)
class _Export:
    """Cases of a dataset from reviewed ones.

    Args:
        volumes: Folder of volumes of 4-D scans, and of series that were chosen: each is written to a file of its own.
        layout: How patients are distinguished, if by names.
        patients: Pseudonyms of the patients of DICOM scans.
    """

    volumes: Path
    layout: LayoutOptions
    patients: Patients

    def case(self, reviewed: ReviewedCase) -> IndexedCase:
        """A case with the scan on which its mask was made.

        Raises:
            ScanError, GridError, ConfigError: The scan was not found, or cannot be read.
        """
        image, pseudonym = self._image(reviewed)
        scheme = scheme_of_case(reviewed.folder, reviewed.version)
        name = reviewed.name
        patient = pseudonym or name_of_scan(name).replace("/", "-")
        return IndexedCase(
            name=name,
            patient=patient_id(self.layout.patient_of(name) if self.layout.patient else patient),
            dataset=_DATASET,
            sequence="reviewed",
            kind="volume",
            images=(image,),
            labels=(reviewed.mask,),
            rule=LabelRule(frozenset(scheme.liver_values), frozenset(range(1, len(scheme) + 1))),
            modality=modality_of_case(reviewed.folder, reviewed.version),
            classes={each: scheme.values_of(each) for each in scheme.names},
        )

    def _image(self, case: ReviewedCase) -> tuple[Path, str | None]:
        """The scan as one volume, and the pseudonym of its patient if it is DICOM."""
        if (unchanged := unchanged_file(case.version, case.scans)) is not None:
            return unchanged, None
        found = scan_of_version(case.folder, case.version, case.scans, mask=case.source)
        patient = self.patients.of(found.volume)
        if found.is_plain:
            return found.path, patient
        return self._written(case.name, found.volume), patient

    def _written(self, name: str, volume: Volume) -> Path:
        """The file of a volume, whose name depends on the case and on the voxels."""
        key = f"{name}\0{voxels_sha256(volume)}".encode("utf-8", "surrogateescape")
        path = self.volumes / f"{hashlib.sha256(key).hexdigest()[:16]}.nii.gz"
        if not path.exists():
            write_scan(volume, path)
        return path

    def remove_unused(self, cases: Sequence[IndexedCase]) -> None:
        """Remove volumes of an earlier export that this one does not need."""
        used = {path for case in cases for path in case.images}
        for path in self.volumes.glob("[0-9a-f]*.nii.gz"):
            if path not in used and len(path.name) == 16 + len(".nii.gz"):
                path.unlink()


def _cases(
    export: _Export, reviewed: Sequence[ReviewedCase]
) -> tuple[list[IndexedCase], dict[str, str]]:
    """The cases whose scans were found, and for each other one the reason."""
    cases, failed = [], {}
    for each in reviewed:
        try:
            cases.append(export.case(each))
        except RmaMambaError as error:
            text = str(error)
            failed[each.name] = text if each.name in text else f"{each.name}: {text}"
    return cases, failed


def _record(case: ReviewedCase) -> dict[str, Any]:
    record = asdict(case.version)
    scan = record.pop("scan") or {}
    scan["input_sha256"] = scan.get("input_sha256") or input_sha256(case.scans[0].scan)
    if not str(scan.get("series") or "0").isdecimal():
        del scan["series"]  # a UID, which would identify the study
    return {**record, "review": asdict(case.decision), **scan}


def _notes(decided: Sequence[ReviewedCase], reviewed: Sequence[ReviewedCase]) -> tuple[str, ...]:
    """What must be known of cases that were decided on, of which those of the wanted states are exported."""
    missing = sum(not each.scans for each in reviewed)
    notes = [f"{missing} reviewed cases without their scan: skipped."] if missing else []
    notes += _outdated((each for each in reviewed if each.scans), "the reviewed one is exported")
    rejected = (each for each in decided if each.decision.state == "rejected")
    notes += _outdated(rejected, "rejected, and left out")
    return tuple(notes)


def _outdated(cases: Iterable[ReviewedCase], consequence: str) -> list[str]:
    """A note on the cases with a version that is newer than the one that was reviewed, if there are any."""
    found = [each for each in cases if each.is_outdated]
    if not found:
        return []
    first, count = found[0], "1 case has" if len(found) == 1 else f"{len(found)} cases have"
    example = f"{first.name}: version {first.version.version} of {first.newest}"
    return [f"{count} a newer version than the one that was reviewed ({example}): {consequence}."]


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
