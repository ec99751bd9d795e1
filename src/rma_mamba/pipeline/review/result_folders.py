"""Results of earlier runs and of other tools: which file is the mask of a case."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from rma_mamba.conventions import (
    ACCOMPANYING_SUFFIXES,
    ITK_SUFFIXES,
    NIFTI_SUFFIXES,
    SCAN_SUFFIXES,
    strip_suffix,
)
from rma_mamba.errors import RmaMambaError
from rma_mamba.folder_tree import Folder, folder_tree, is_ignored, visible
from rma_mamba.pipeline.json_files import read_json
from rma_mamba.pipeline.review.mask_versions import MASK_FILE, REVIEW_FOLDER
from rma_mamba.scans.earlier_results import RUN_RECORD
from rma_mamba.scans.mask_files import is_mask_file
from rma_mamba.scans.mask_reader import is_mask_object
from rma_mamba.scans.nifti_header import read_header

# Masks that `segment` writes, in the order of preference: the others hold the same voxels.
MASK_FILES = (MASK_FILE, "liver_seg.dcm", "liver_rtstruct.dcm")

LABEL_MAPS = (*NIFTI_SUFFIXES, *ITK_SUFFIXES)
_ENDINGS = ("_seg", "-seg", ".seg", "_mask", "_label", "_rtstruct", "_segmentation")
_FEW = 50  # files: a folder with more of them is a series, whose slices need not be opened


@dataclass(frozen=True, eq=False)
class Result:
    """The mask of a case.

    Args:
        name: Name of the case: its path below the folder of the results.
        folder: Folder of the case, which receives its review.
        mask: The file; the folder itself if several of its files are masks.
    """

    name: str
    folder: Path
    mask: Path

    @cached_property
    def is_own(self) -> bool:
        """Whether this program has written it, as `run.json` beside it states."""
        return self.mask.parent == self.folder and _is_own(self.folder)

    @property
    def is_on_grid(self) -> bool:
        """Whether the file holds the voxels of the scan in their own order, and can be used as it is."""
        return self.is_own and self.mask.name == MASK_FILE


def find_results(root: Path, *, scans: Path | None = None) -> dict[str, Result]:
    """Results in a folder, by name.

    Masks without a `run.json` of this program are results as well: a DICOM Segmentation, an RT Structure Set or a label
    map, in a folder of its own or in the root itself.

    Args:
        root: The folder.
        scans: Folder of the scans. If it is the root or lies in it, masks in it are results only with a `run.json`:
            others may be references that belong to the scans.

    Raises:
        OSError: A folder cannot be read.
    """
    tree, apart = folder_tree(root), None if scans is None else scans.resolve()
    if apart is not None and not apart.is_relative_to(root.resolve()):
        apart = None
    found: dict[str, Result] = {}
    for folder in _walk(tree):
        name = str(folder.path.relative_to(root))
        any_tool = apart is None or not folder.path.resolve().is_relative_to(apart)
        if folder.path == root:
            found = {
                each.name: each for each in (_loose_masks(tree.files, root) if any_tool else ())
            }
        elif result := _result(folder.path, folder.files, name, any_tool):
            found[name] = result
    return found


def result_in(folder: Path, name: str) -> Result | None:
    """The result of this program in a folder, if there is one."""
    if not folder.is_dir():
        return None
    return _result(folder, visible(folder.iterdir()), name, any_tool=False)


def holds_results_only(folder: Path) -> bool:
    """Whether a folder holds results of this program, and no other files but tables and notes.

    The search ends at the first other file, so that it is quick in a folder of scans.
    """
    has_results = False
    for path, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not is_ignored(name) and name != REVIEW_FOLDER]
        if RUN_RECORD in files:
            has_results = has_results or _is_own(Path(path))
        elif not all(is_ignored(each) or _is_note(each) for each in files):
            return False
    return has_results


def _is_note(name: str) -> bool:
    return name.lower().endswith(ACCOMPANYING_SUFFIXES)


def _walk(folder: Folder) -> Iterator[Folder]:
    pending = [folder]
    while pending:
        each = pending.pop()
        yield each
        pending += (below for below in each.folders if below.path.name != REVIEW_FOLDER)


def _result(folder: Path, files: Sequence[Path], name: str, any_tool: bool) -> Result | None:
    named = {path.name: path for path in files}
    known = next((named[each] for each in MASK_FILES if each in named), None)
    is_own = RUN_RECORD in named and _is_own(folder)
    if known is not None and (is_own or any_tool):
        return Result(name, folder, known)
    if is_own or not any_tool or len(files) > _FEW:
        return None
    masks = list(filter(_is_mask, files))
    return Result(name, folder, masks[0] if len(masks) == 1 else folder) if masks else None


def _is_own(folder: Path) -> bool:
    return "rma_mamba" in read_json(folder / RUN_RECORD)


def _loose_masks(files: Sequence[Path], root: Path) -> Iterator[Result]:
    """Masks that lie in the root itself, one for each case, as many tools write them."""
    for path in files if len(files) <= 100 * _FEW else ():
        if _is_mask(path):
            name = plain_name(strip_suffix(path.name, SCAN_SUFFIXES))
            yield Result(name, root / name, path)


def plain_name(name: str) -> str:
    """The name of a mask without what tells it from its scan: "case" for "case_seg"."""
    return strip_suffix(name, _ENDINGS) or name


def _is_mask(path: Path) -> bool:
    """Whether a file is a DICOM object with a mask, or a label map: of 8 bits, or with two values."""
    name = path.name.lower()
    try:
        if name.endswith(NIFTI_SUFFIXES) and int(read_header(path)["bitpix"]) == 8:
            return True  # to read all voxels of a cohort would take long
        if name.endswith(LABEL_MAPS):
            return is_mask_file(path)
        return is_mask_object(path)
    except (RmaMambaError, OSError, EOFError):  # reported when it is read
        return False
