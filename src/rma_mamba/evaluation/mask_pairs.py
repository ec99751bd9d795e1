"""Matching of predicted masks to reference masks by file name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rma_mamba.conventions import NIFTI_SUFFIXES, strip_suffix
from rma_mamba.errors import ConfigError
from rma_mamba.folder_tree import as_text, visible

_OTHER_SUFFIXES = (".nrrd", ".mha", ".mhd", ".dcm")
_LISTED = 10  # number of missing predictions listed in an error


@dataclass(frozen=True)
class Pair:
    """A reference mask and the prediction of each method.

    Args:
        patient: Identifier of the patient.
        case: Name of the case: the reference's file name without its suffix.
        reference: File of the reference mask.
        predictions: File of each method, by its name; None: the prediction is missing and counts as an empty mask.
    """

    patient: str
    case: str
    reference: Path
    predictions: Mapping[str, Path | None]


@dataclass(frozen=True)
class Pairing:
    """All pairs found in the given folders.

    Args:
        pairs: Sorted by file name.
        extra: For each method, the number of its files without a reference.
    """

    pairs: tuple[Pair, ...]
    extra: Mapping[str, int]

    @property
    def remarks(self) -> tuple[str, ...]:
        """Missing and surplus predictions, one sentence each."""
        remarks = []
        for name, extra in self.extra.items():
            missing = sum(pair.predictions[name] is None for pair in self.pairs)
            if missing:
                remarks.append(f"{name}: {missing} predictions are missing and count as empty.")
            if extra:
                remarks.append(f"{name}: {extra} predictions have no reference and are not scored.")
        return tuple(remarks)


def pair_masks(
    reference: Path,
    predictions: Sequence[Path],
    *,
    patient: str | None = None,
    missing_as_empty: bool = False,
) -> Pairing:
    """Match predictions to references by file name.

    Args:
        reference: A folder of masks (.nii or .nii.gz; without these, .nrrd, .mha, .mhd or .dcm), or a single mask.
        predictions: For each method, a folder whose files have the same names as the references (suffixes
            do not count); if the reference is a single mask, a single mask of any name.
        patient: Regular expression searched in the reference's file name; its first group, or the whole
            match if it has no group, identifies the patient. None: the file name without its suffix.
        missing_as_empty: Score a missing prediction as an empty mask instead of raising an error.

    Raises:
        ConfigError: A folder is missing or empty, predictions are missing, or file names do not match.
    """
    names = method_names(predictions)
    if reference.is_file():
        _check_files(predictions)
        case = _stem(reference)
        references = {case: reference}
        found = {name: {case: path} for name, path in zip(names, predictions, strict=True)}
    else:
        references = _masks_in(reference, "the reference")
        found = {
            name: _masks_in(path, f"prediction folder {number}")
            for number, (name, path) in enumerate(zip(names, predictions, strict=True), 1)
        }
        if not missing_as_empty:
            _check_complete(references, found)
    pairs = [
        Pair(
            patient=_patient(path, patient),
            case=case,
            reference=path,
            predictions={name: masks.get(case) for name, masks in found.items()},
        )
        for case, path in references.items()
    ]
    extra = {name: len(masks.keys() - references.keys()) for name, masks in found.items()}
    return Pairing(tuple(pairs), extra)


def method_names(predictions: Sequence[Path]) -> list[str]:
    """The shortest trailing path components that distinguish the predictions: names of folders or files.

    Raises:
        ConfigError: Two paths are the same.
    """
    parts = [(*path.resolve().parts[1:-1], _stem(path.resolve())) for path in predictions]
    for depth in range(1, max(map(len, parts)) + 1):
        names = ["/".join(each[-depth:]) for each in parts]
        if len(set(names)) == len(names):
            return names
    raise ConfigError(
        "the same prediction is passed twice; expected a different folder or file for each method. "
        "Pass each one only once."
    )


def _masks_in(folder: Path, description: str) -> dict[str, Path]:
    """The masks in a folder, by file name without the suffix."""
    if not folder.is_dir():
        found = "a single file" if folder.is_file() else "missing"
        raise ConfigError(
            f"{description} is {found}; expected a folder of masks. Check the path, or pass single files for all."
        )
    listed = list(visible(folder.iterdir()))
    files = [path for path in listed if path.name.lower().endswith(NIFTI_SUFFIXES)]
    # other formats count where there are no NIfTI files, beside which they may be anything
    files = files or [path for path in listed if path.name.lower().endswith(_OTHER_SUFFIXES)]
    masks = {_stem(path): path for path in files}
    if not masks or len(masks) < len(files):
        kinds = ", ".join((*NIFTI_SUFFIXES, *_OTHER_SUFFIXES))
        found = "two files with the same name" if masks else f"no mask ({kinds})"
        raise ConfigError(
            f"{description} contains {found}; expected one mask per case. Correct its contents."
        )
    return masks


def _check_files(predictions: Sequence[Path]) -> None:
    if not all(path.is_file() for path in predictions):
        raise ConfigError(
            "the reference is a single file, but a prediction is not; expected files for all or folders for all. "
            "Pass one mask for each, or folders for all."
        )


def _check_complete(
    references: Mapping[str, Path], found: Mapping[str, Mapping[str, Path]]
) -> None:
    for number, masks in enumerate(found.values(), 1):
        missing = [str(place) for place, case in enumerate(references, 1) if case not in masks]
        if missing:
            listed = ", ".join(missing[:_LISTED]) + ", ..." * (len(missing) > _LISTED)
            raise ConfigError(
                f"prediction folder {number} lacks {len(missing)} of {len(references)} masks (references "
                f"sorted by name: number {listed}); expected a file of the same name for each. Add them, or "
                "score them as empty with --missing-as-empty."
            )


def _patient(path: Path, pattern: str | None) -> str:
    if pattern is None:
        return _stem(path)
    try:
        match = re.search(pattern, path.name)
    except re.error as error:
        raise ConfigError(
            f"the patient pattern is not a valid regular expression ({error.msg}); expected one such as "
            "'case_([0-9]+)'. Correct --patient."
        ) from None
    found = match and (match[1] if match.re.groups else match[0])
    if not found:
        raise ConfigError(
            "the file name of a reference does not match the patient pattern; expected every name to contain "
            f"'{pattern}'. Correct --patient."
        )
    return as_text(found)


def _stem(path: Path) -> str:
    return as_text(strip_suffix(path.name, (*NIFTI_SUFFIXES, *_OTHER_SUFFIXES)))
