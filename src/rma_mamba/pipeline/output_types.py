"""Kinds of output files: what they are called, and which of them were asked for."""

from __future__ import annotations

from pathlib import Path

from rma_mamba.errors import ConfigError
from rma_mamba.scans.writers import MASK_SUFFIXES, mask_format

# In a folder, and after the stem of a single file's name. What is made of other files comes after them.
NAMES = {
    "nifti": ("liver.nii.gz", ".nii.gz"),
    "dicom_seg": ("liver_seg.dcm", "_seg.dcm"),
    "dicom_rtstruct": ("liver_rtstruct.dcm", "_rtstruct.dcm"),
    "stl": ("liver.stl", ".stl"),
    "obj": ("liver.obj", ".obj"),
    "json": ("measurements.json", "_measurements.json"),
    "csv": ("measurements.csv", "_measurements.csv"),
    "dicom_sr": ("liver_sr.dcm", "_sr.dcm"),
}
MEASURED = ("json", "csv", "dicom_sr")


def parsed_kinds(text: str | None) -> tuple[str, ...]:
    """The kinds in a list with commas, in the order of `NAMES`, with the first that was named in front.

    Raises:
        ConfigError: There is no such kind.
    """
    named = [part.strip().lower() for part in (text or "").split(",") if part.strip()]
    unknown = next((part for part in named if part not in NAMES), None)
    if unknown is not None:
        raise ConfigError(
            f"there is no output type '{unknown}'; expected {', '.join(NAMES)}. "
            "Name one or more of these, with commas between them."
        )
    return tuple(dict.fromkeys([*named[:1], *(kind for kind in NAMES if kind in named)]))


def in_folder(folder: Path, kinds: tuple[str, ...]) -> dict[str, Path]:
    """Names in the folder of a case; a NIfTI mask if no kind was named."""
    return {kind: folder / NAMES[kind][0] for kind in kinds or ("nifti",)}


def beside_file(out: Path, kinds: tuple[str, ...]) -> dict[str, Path]:
    """The file that was named, for the first kind with its ending, and the other kinds beside it.

    Raises:
        ConfigError: The file's ending is of none of the kinds.
    """
    stem = without(MASK_SUFFIXES, without((".json", ".csv"), out.name))
    kinds = kinds or (mask_format(out),)
    first = next((kind for kind in kinds if _fits(out, kind)), None)
    if first is None:
        raise ConfigError(
            f"the output file has another ending than files of type {', '.join(kinds)}; expected one of "
            "theirs. Give a name with such an ending, or a folder."
        )
    others = (kind for kind in kinds if kind != first)
    return {first: out, **{kind: out.with_name(stem + NAMES[kind][1]) for kind in others}}


def without(suffixes: tuple[str, ...], name: str) -> str:
    """A file name without the first of the suffixes that it ends in."""
    for suffix in sorted(suffixes, key=len, reverse=True):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name


def _fits(out: Path, kind: str) -> bool:
    endings = (".nii.gz", ".nii") if kind == "nifti" else (Path(NAMES[kind][0]).suffix,)
    return out.name.lower().endswith(endings)
