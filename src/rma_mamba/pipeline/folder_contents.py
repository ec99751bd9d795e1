"""What the files of a folder are: scans, masks, slices, or neither. Content decides where names are not reliable."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from rma_mamba.conventions import (
    ACCOMPANYING_SUFFIXES,
    ANALYZE_SUFFIXES,
    ARCHIVE_SUFFIXES,
    ITK_SUFFIXES,
    NIFTI_SUFFIXES,
)
from rma_mamba.errors import RmaMambaError
from rma_mamba.folder_tree import Folder, folder_tree
from rma_mamba.scans import has_images
from rma_mamba.scans.earlier_results import without_results
from rma_mamba.scans.formats import detect_format
from rma_mamba.scans.mask_files import is_mask_file
from rma_mamba.scans.nifti_pairs import header_and_image

if TYPE_CHECKING:
    from rma_mamba.scans.dicom_probe import SliceProbe

# Suffixes of files that are a scan each. A single image or DICOM file is a slice of a scan.
CASE_SUFFIXES = (*NIFTI_SUFFIXES, *ANALYZE_SUFFIXES, *ITK_SUFFIXES, *ARCHIVE_SUFFIXES)

ENOUGH_SLICES = 3  # fewer slices are not a scan: files that strayed beside scans


@dataclass(eq=False)
class FolderContents:
    """A folder whose files have been classified.

    Args:
        path: The folder.
        scans: Scan files, and links with the name of one that lead nowhere.
        masks: Masks, and maps computed from scans.
        results: Other results of earlier runs.
        others: All other files: slices, images, notes.
        dangling: Other links that lead nowhere.
        folders: The folders in it.
        unsearched: The folder of the results, if it is in this one or below it.
    """

    path: Path
    scans: list[Path] = field(default_factory=list)
    masks: list[Path] = field(default_factory=list)
    results: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)
    dangling: list[Path] = field(default_factory=list)
    folders: list[FolderContents] = field(default_factory=list)
    unsearched: FolderContents | None = None

    @cached_property
    def tree(self) -> list[FolderContents]:
        """This folder and all folders below it."""
        return [self, *(below for folder in self.folders for below in folder.tree)]

    @cached_property
    def contains_scans(self) -> bool:
        """Whether there are scan files in it or below it."""
        return bool(self.scans) or any(folder.contains_scans for folder in self.folders)

    @cached_property
    def probe(self) -> SliceProbe:
        """The DICOM slices directly in it, counted up to `ENOUGH_SLICES`."""
        from rma_mamba.scans.dicom_probe import probe_slices  # imports pydicom

        return probe_slices(self._candidates, enough=ENOUGH_SLICES)

    @property
    def has_slices(self) -> bool:
        """Whether there are DICOM slices directly in it, more than have strayed there."""
        return self.probe.slices >= ENOUGH_SLICES

    @property
    def is_series(self) -> bool:
        """Whether the files directly in it are the slices of a scan, DICOM or images."""
        return self.has_slices or has_images(self.path)

    @cached_property
    def has_several_studies(self) -> bool:
        """Whether the folders below it belong to several studies, judged by one slice in each folder."""
        first = None
        for folder in self.tree[1:]:
            study = folder.first_study
            first = first or study
            if study != (first if study else None):
                return True
        return False

    @cached_property
    def first_study(self) -> tuple[str, str] | None:
        """Patient and study of the first slice directly in it."""
        from rma_mamba.scans.dicom_probe import probe_slices

        return probe_slices(self._candidates).study

    @property
    def may_be_scan(self) -> bool:
        """Whether there is anything in it or below it that could be a slice or an image."""
        if any(folder.dangling for folder in self.tree):
            return True
        from rma_mamba.scans.dicom_probe import are_derived_objects

        candidates = [path for folder in self.tree for path in folder._candidates]
        return bool(candidates) and not are_derived_objects(candidates)

    @property
    def _candidates(self) -> list[Path]:
        return [
            path for path in self.others if not path.name.lower().endswith(ACCOMPANYING_SUFFIXES)
        ]


def classify(root: Path, skipped: Path | None = None) -> FolderContents:
    """Classify the files in a folder and below it; `skipped` is a folder in it that is not searched.

    Raises:
        OSError: A folder or file cannot be read.
    """
    tree = folder_tree(root)
    found: dict[int, FolderContents] = {}
    for folder in reversed(list(tree.walk())):
        contents = _classified(folder)
        for each in (found[id(below)] for below in folder.folders):
            if each.path.resolve() == skipped:
                contents.unsearched = each
            else:
                contents.folders.append(each)
                contents.unsearched = contents.unsearched or each.unsearched
        found[id(folder)] = contents
    return found[id(tree)]


def case_suffix(file: Path) -> str:
    """The suffix of a scan file; empty if it has none."""
    name = file.name.lower()
    return next((suffix for suffix in CASE_SUFFIXES if name.endswith(suffix)), "")


def _classified(folder: Folder) -> FolderContents:
    contents = FolderContents(folder.path)
    files = without_results(folder)
    contents.results = sorted({*folder.files} - {*files})
    for path in files:
        if kind := _kind(path):
            getattr(contents, kind).append(path)
    for path in folder.dangling:
        if case_suffix(path):
            contents.scans.append(path)
        elif not path.name.lower().endswith(ACCOMPANYING_SUFFIXES):
            contents.dangling.append(path)
    return contents


def _kind(path: Path) -> str:
    """The list that a file belongs to; "" for the second file of a pair."""
    if not case_suffix(path):
        return "others"
    try:
        file_format = detect_format(path)
    except (RmaMambaError, OSError):  # two formats at once, or no permission: its reader reports it
        return "scans"
    if file_format == "dicom":
        return "others"
    pair = header_and_image(path)
    if pair is not None and path != pair[0]:
        return ""
    return "masks" if is_mask_file(path) else "scans"
