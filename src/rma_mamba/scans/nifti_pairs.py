"""The two files of a NIfTI or Analyze pair: .hdr and .img, either of them compressed (.gz), in upper or lower case."""

from __future__ import annotations

from pathlib import Path

from rma_mamba.conventions import ANALYZE_SUFFIXES

_HEADER, _IMAGE = ".hdr", ".img"


def pair_suffix(path: Path) -> str:
    """The suffix of a file that is named as one of a pair, in lower case; else ""."""
    name = path.name.lower()
    return next((suffix for suffix in ANALYZE_SUFFIXES if name.endswith(suffix)), "")


def other_file(path: Path) -> Path | None:
    """The other file of a pair, in the same folder; None if there is none, or the file is not named as one of a pair.

    Of several, the one with the same compression and the same capital letters comes first.
    """
    suffix = pair_suffix(path)
    if not suffix:
        return None
    stem = path.name[: -len(suffix)]
    wanted = _IMAGE if suffix.startswith(_HEADER) else _HEADER
    found = [
        each
        for each in path.parent.iterdir()
        if each.name.lower() in (f"{stem}{wanted}".lower(), f"{stem}{wanted}.gz".lower())
    ]

    def rank(each: Path) -> tuple[bool, bool, bool, str]:
        same_case = each.name[len(stem) :].isupper() == path.name[len(stem) :].isupper()
        same_packing = pair_suffix(each).endswith(".gz") == suffix.endswith(".gz")
        return not each.name.startswith(stem), not same_packing, not same_case, each.name

    return min(found, key=rank, default=None)


def header_and_image(path: Path) -> tuple[Path, Path] | None:
    """The header file and the image file of the pair that a file belongs to; None if the other file is missing."""
    other = other_file(path)
    if other is None:
        return None
    return (path, other) if pair_suffix(path).startswith(_HEADER) else (other, path)
