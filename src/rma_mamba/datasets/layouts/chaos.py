"""CHAOS: liver in CT, and four organs in T1-DUAL and T2-SPIR, as DICOM series with PNG masks or as NIfTI.

    Train_Sets/CT/<n>/{DICOM_anon,Ground}
    Train_Sets/MR/<n>/{T1DUAL/{DICOM_anon/{InPhase,OutPhase},Ground},T2SPIR/{DICOM_anon,Ground}}
    images/chaos_<n>.nii.gz, labels/chaos_<n>.nii.gz                    (T2 MR, as resampled by others)

The n-th mask by file name belongs to the n-th file of its series by file name, whatever the position of that slice in
the patient. Source: chaos.grand-challenge.org, doi 10.5281/zenodo.3362844.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rma_mamba.datasets.layouts.index import DatasetIndex, IndexedCase, LayoutOptions
from rma_mamba.datasets.layouts.listing import find_folder, scan_files, subfolders
from rma_mamba.datasets.splits import patient_id
from rma_mamba.labels import LabelRule
from rma_mamba.volume import Modality

EXPECTED = "Train_Sets/MR/1/T2SPIR/{DICOM_anon,Ground} or images/chaos_01.nii.gz"

# Grey levels of liver, right kidney, left kidney and spleen in MR masks.
_ORGANS = (range(55, 71), range(110, 136), range(175, 201), range(240, 256))
_MR_RULE = LabelRule(
    frozenset(_ORGANS[0]), frozenset(value for organ in _ORGANS for value in organ)
)
_CT_RULE = LabelRule(frozenset({255}), frozenset({255}))
_NIFTI_RULE = LabelRule(frozenset({1}), frozenset({1, 2, 3, 4}))

_MR_SERIES = {
    "T1 in phase": ("T1DUAL", "DICOM_anon/InPhase"),
    "T1 out of phase": ("T1DUAL", "DICOM_anon/OutPhase"),
    "T2": ("T2SPIR", "DICOM_anon"),
}
_NOTE = "CT and MR come from different patients; T1 and T2 with the same number belong to the same patient."


def recognises(root: Path) -> bool:
    """Whether a folder contains the training sets."""
    return bool(_sets(root)) or any(name.startswith("chaos_") for name in _nifti(root))


def read(root: Path, options: LayoutOptions) -> DatasetIndex:
    """List the training sets; the test sets have no masks."""
    cases = [*_nifti_cases(root, options)]
    folder = _sets(root)
    if folder:
        cases += [*_mr_cases(folder / "MR", options), *_ct_cases(folder / "CT", options)]
    return DatasetIndex("chaos", tuple(cases), (_NOTE,))


def _sets(root: Path) -> Path | None:
    return find_folder(root, ["Train_Sets"], ["MR", "CT"])


def _nifti(root: Path) -> dict[str, Path]:
    return scan_files(root / "images")


def _nifti_cases(root: Path, options: LayoutOptions) -> Iterator[IndexedCase]:
    labels = scan_files(root / "labels")
    for name, path in _nifti(root).items():
        if name.startswith("chaos_"):
            found = (labels[name],) if name in labels else ()
            rule, number = _NIFTI_RULE.with_liver(options.liver), name.removeprefix("chaos_")
            yield _case("T2", number, "MR", (path, found), rule)


def _mr_cases(folder: Path, options: LayoutOptions) -> Iterator[IndexedCase]:
    rule = _MR_RULE.with_liver(options.liver)
    for patient in subfolders(folder):
        for sequence, (place, series) in _MR_SERIES.items():
            images, masks = patient / place / series, patient / place / "Ground"
            if images.is_dir():
                yield _case(sequence, patient.name, "MR", (images, _masks(masks)), rule)


def _ct_cases(folder: Path, options: LayoutOptions) -> Iterator[IndexedCase]:
    rule = _CT_RULE.with_liver(options.liver)
    for patient in subfolders(folder):
        if (patient / "DICOM_anon").is_dir():
            files = patient / "DICOM_anon", _masks(patient / "Ground")
            yield _case("CT", patient.name, "CT", files, rule)


def _masks(folder: Path) -> tuple[Path, ...]:
    return tuple(scan_files(folder, (".png",)).values())


def _case(
    sequence: str,
    number: str,
    modality: Modality,
    files: tuple[Path, tuple[Path, ...]],
    rule: LabelRule,
) -> IndexedCase:
    return IndexedCase(
        name=f"{sequence}/{number}",
        patient=patient_id(number),
        dataset=f"chaos-{modality.lower()}",
        sequence=sequence,
        kind="volume",
        images=(files[0],),
        labels=files[1],
        rule=rule,
        modality=modality,
    )
