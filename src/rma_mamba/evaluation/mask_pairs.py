"""Masks of any tool against references, file by file: which belong together, and their scores."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rma_mamba.errors import ConfigError, RmaMambaError
from rma_mamba.evaluation.case_scores import CaseName, CaseScore, score_case
from rma_mamba.evaluation.masks import GivenMask, as_error_of, check_one_grid, read_given_mask

SOURCE = "masks"  # where the cases are from, and their group

_ENDINGS = (".nii.gz", ".nii")


@dataclass(frozen=True)
class Pair:
    """A reference and what each method predicted.

    Args:
        patient, case: Whose it is, and its name.
        reference: File of the reference.
        predictions: File of each method; None: there is none, which counts as an empty mask.
    """

    patient: str
    case: str
    reference: Path
    predictions: Mapping[str, Path | None]


@dataclass(frozen=True)
class Pairing:
    """What was found in the folders.

    Args:
        pairs: By name.
        extra: For each method, how many of its files have no reference.
    """

    pairs: tuple[Pair, ...]
    extra: Mapping[str, int]

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a reader of the scores has to know, one sentence each."""
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
    """Find the predictions that belong to references.

    Args:
        reference: A folder of masks (.nii or .nii.gz), or one mask.
        predictions: For each method a folder in which the files have the same names up to .gz; or, for a
            reference that is one mask, one mask of any name.
        patient: Regular expression that is searched in a reference's file name; its first group, or else
            all of it, is the patient. None: the file name without its ending.
        missing_as_empty: Count a missing prediction as an empty mask instead of refusing.

    Raises:
        ConfigError: A folder is missing or empty, predictions are missing, or names do not fit.
    """
    names = method_names(predictions)
    if reference.is_file():
        files = {_stem(reference): reference}
        found = {
            name: {_stem(reference): path} for name, path in zip(names, predictions, strict=True)
        }
        if not all(path.is_file() for path in predictions):
            raise ConfigError(
                "the reference is one file, a prediction is not; expected files or folders alike. "
                "Give one mask of each, or folders."
            )
    else:
        files = _masks(reference, "the reference")
        found = {
            name: _masks(path, f"prediction folder {number}")
            for number, (name, path) in enumerate(zip(names, predictions, strict=True), 1)
        }
        if not missing_as_empty:
            _check_complete(files, found)
    pairs = tuple(
        Pair(
            _patient(path, patient), stem, path, {name: of.get(stem) for name, of in found.items()}
        )
        for stem, path in files.items()
    )
    return Pairing(pairs, {name: len(of.keys() - files.keys()) for name, of in found.items()})


def score_pairs(
    pairing: Pairing,
    labels: Sequence[int] = (),
    prediction_labels: Sequence[int] | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
    warn: Callable[[str], None] | None = None,
) -> Iterator[CaseScore]:
    """Scores of all pairs and methods.

    Args:
        pairing: What belongs together.
        labels: Label values that are liver; none: all above 0.
        prediction_labels: Those of the predictions; None: as of the references.
        progress: Called with (masks scored, masks in all).
        warn: Called with a sentence where a mask has labels but none that is liver.

    Raises:
        ScanError: A file cannot be read, or holds no labels.
        GridError: A prediction lies on another grid than its reference.
    """
    of_prediction = labels if prediction_labels is None else prediction_labels
    done, total = 0, len(pairing.pairs) * len(pairing.extra)
    for number, pair in enumerate(pairing.pairs, 1):
        what = f"reference {number} of {len(pairing.pairs)} by name"
        reference = _read(pair.reference, labels, what, warn)
        for name, path in pair.predictions.items():
            prediction = np.zeros_like(reference.bits)
            if path is not None:
                what = f"prediction {number} of {len(pairing.pairs)} by name"
                prediction = _read(path, of_prediction, what, warn, reference).bits
            case = CaseName(name, SOURCE, SOURCE, pair.patient, pair.case)
            yield score_case(case, reference.bits, prediction, reference.geometry)
            done += 1
            if progress is not None:
                progress(done, total)


def method_names(predictions: Sequence[Path]) -> list[str]:
    """The shortest ends of the paths that tell them apart: names of folders, or of files.

    Raises:
        ConfigError: Two paths are the same.
    """
    parts = [(*path.resolve().parts[1:-1], _stem(path.resolve())) for path in predictions]
    for depth in range(1, max(map(len, parts)) + 1):
        names = ["/".join(each[-depth:]) for each in parts]
        if len(set(names)) == len(names):
            return names
    raise ConfigError(
        "one prediction is given twice; expected a different folder or file for each method. "
        "Give each once."
    )


def _read(
    path: Path,
    labels: Sequence[int],
    what: str,
    warn: Callable[[str], None] | None,
    reference: GivenMask | None = None,
) -> GivenMask:
    try:
        mask = read_given_mask(path, labels)
        if reference is not None:
            check_one_grid(reference.geometry, mask.geometry)
    except RmaMambaError as error:
        raise as_error_of(what, error) from error
    if mask.has_other_labels and warn is not None:
        wanted = " or ".join(map(str, labels))
        warn(f"{what} has labels, but none is {wanted}: it counts as empty.")
    return mask


def _masks(folder: Path, what: str) -> dict[str, Path]:
    """The masks in a folder by name, without ending."""
    if not folder.is_dir():
        found = "one file" if folder.is_file() else "missing"
        raise ConfigError(
            f"{what} is {found}; expected a folder of masks. Check the path, or give single files only."
        )
    files = [
        path
        for path in sorted(folder.iterdir())
        if path.name.lower().endswith(_ENDINGS) and not path.name.startswith(".")
    ]
    masks = {_stem(path): path for path in files}
    if not masks or len(masks) < len(files):
        found = "two files of one name" if masks else f"no {' or '.join(_ENDINGS)} file"
        raise ConfigError(f"{what} holds {found}; expected one mask a case. Put the masks there.")
    return masks


def _check_complete(files: Mapping[str, Path], found: Mapping[str, Mapping[str, Path]]) -> None:
    for number, masks in enumerate(found.values(), 1):
        missing = [str(at) for at, stem in enumerate(files, 1) if stem not in masks]
        if missing:
            raise ConfigError(
                f"prediction folder {number} lacks {len(missing)} of {len(files)} masks (of the "
                f"references by name: number {', '.join(missing[:10])}{', ...' * (len(missing) > 10)}); "
                "expected one of the same name for each. Add them, or count them as empty with "
                "--missing-as-empty."
            )


def _patient(path: Path, pattern: str | None) -> str:
    if pattern is None:
        return _stem(path)
    try:
        match = re.search(pattern, path.name)
    except re.error as error:
        raise ConfigError(
            f"the pattern of patients is no regular expression ({error.msg}); expected one like "
            "'case_([0-9]+)'. Change --patient."
        ) from None
    found = match and (match[1] if match.re.groups else match[0])
    if not found:
        raise ConfigError(
            f"a reference's file name does not match the pattern of its patient; expected '{pattern}' "
            "to be in every name. Change --patient."
        )
    return found


def _stem(path: Path) -> str:
    for ending in _ENDINGS:
        if path.name.lower().endswith(ending):
            return path.name[: -len(ending)]
    return path.name
