"""Find the scans in an input path: one scan, or a cohort.

One scan is a file; a folder of DICOM slices or images; or a folder of folders that are the series of one study.
A cohort is a folder that contains scan files (NIfTI, NRRD, MetaImage, zip) at any depth, each of them a case; or a
folder of folders that belong to several studies, each folder a case. Folders without scan files are DICOM cases.
Masks and results of earlier runs are not scans.
"""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rma_mamba.conventions import SCAN_SUFFIXES, strip_suffix
from rma_mamba.errors import ConfigError, RmaMambaError, ScanError
from rma_mamba.pipeline.folder_contents import (
    ENOUGH_SLICES,
    FolderContents,
    case_suffix,
    classify,
)
from rma_mamba.scans import count_volumes

_LISTED = 5  # names in a message


@dataclass(frozen=True)
class ChannelScan:
    """One of several scans of a patient that are the channels of a case.

    Args:
        name: Name of the channel.
        scan: File or folder.
        series: DICOM series in it; None: as for single scans.
    """

    name: str
    scan: Path
    series: str | None = None


@dataclass(frozen=True)
class Case:
    """One scan of a cohort, or several scans that are channels of one case.

    Args:
        scan: File or folder; of several scans, that of the first.
        name: Path relative to the folder of the cohort, without the suffix; also the name of its output folder.
        volume: Number of the volume, from 1, if the case is one volume of a 4-D scan.
        channels: All scans of a case with several; empty: a single scan.
    """

    scan: Path
    name: str
    volume: int | None = None
    channels: tuple[ChannelScan, ...] = ()

    @property
    def scans(self) -> tuple[Path, ...]:
        """The files or folders of all scans."""
        return tuple(dict.fromkeys(each.scan for each in self.channels)) or (self.scan,)


@dataclass(frozen=True)
class Found:
    """What a search found.

    Args:
        cases: The cases of a cohort, sorted by name; None for a single scan.
        warnings: What was skipped, one sentence each.
        is_dicom: Whether a cohort consists of folders of DICOM slices or images alone.
    """

    cases: list[Case] | None
    warnings: tuple[str, ...] = ()
    is_dicom: bool = False


def find_cases(path: str | Path, *, results: str | Path | None = None) -> list[Case]:
    """The cases at a path, sorted by name; a single scan is one case.

    Args:
        path: A scan, or a folder of scans.
        results: Folder of the results, which is not searched.

    Raises:
        ScanError: A folder contains both the slices of a scan and scan files, or nothing but masks, or cannot be read.
        ConfigError: Two cases would share an output folder.
    """
    path = Path(path)
    cases = search(path, results).cases
    return [Case(path, case_name(path))] if cases is None else cases


def search(folder: Path, results: str | Path | None = None, *, check_names: bool = True) -> Found:
    """Find the cases in a folder; any other path is a single scan. See `find_cases`.

    Without `check_names`, two cases may share an output folder: see `clashing_names`.
    """
    if not folder.is_dir():
        return Found(None)
    try:
        skipped = Path(results).resolve() if results is not None else None
        return _search(folder, skipped, check_names)
    except OSError as error:
        raise ScanError(
            f"the input cannot be searched ({error.strerror or 'input/output error'}); expected "
            "readable folders. Check the permissions."
        ) from error


def _search(folder: Path, results: Path | None, check_names: bool) -> Found:
    root = classify(folder, results)
    skipped = (*_skipped_warning(root), *_unsearched_warning(root))
    if root.contains_scans:
        _check_ambiguity(root)
    elif not _is_cohort_of_studies(root):
        _check_not_masks_only(root)
        return Found(None, skipped)
    cases = sorted(_walk(root, ""), key=lambda case: case.name)
    if check_names:
        check_unique_names(cases, folder)
    return Found(cases, (*skipped, *_stray_warnings(root, cases)), not root.contains_scans)


def case_name(scan: Path) -> str:
    """The name of a scan without its suffix, and so the name of its output folder."""
    return strip_suffix(scan.resolve().name, SCAN_SUFFIXES)


def split_volumes(case: Case, series: str | None = None) -> list[Case]:
    """The volumes of a 4-D scan as cases named `<case>/volume_01` and so on; a 3-D scan unchanged.

    A scan that cannot be read remains one case, and fails when it is segmented.
    """
    try:
        count = count_volumes(case.scan, series=series)
    except RmaMambaError:
        return [case]
    if count == 1:
        return [case]
    width = max(2, len(str(count)))
    return [
        Case(case.scan, f"{case.name}/volume_{number:0{width}}", number)
        for number in range(1, count + 1)
    ]


def select_part(cases: list[Case], part: int, parts: int) -> list[Case]:
    """Every `parts`-th case, beginning with case number `part` (from 0).

    Raises:
        ConfigError: `part` is out of range.
    """
    if not 0 <= part < parts:
        raise ConfigError(
            f"the part is {part} of {parts}; expected 0 to {parts - 1}. "
            "Parts are numbered from 0: use --part-id 0 for the first."
        )
    return cases[part::parts]


def check_unique_names(cases: Sequence[Case], folder: Path) -> None:
    """Check that no two cases share an output folder, or differ in capitalisation only.

    Args:
        cases: The cases.
        folder: The folder of the cohort.

    Raises:
        ConfigError: Two cases share one.
    """
    for text in clashing_names(cases, folder).values():
        raise ConfigError(text)


def clashing_names(cases: Iterable[Case], folder: Path) -> dict[Path, str]:
    """The scans that would share an output folder with another one, each with an error message.

    Arguments as in `check_unique_names`.
    """
    same: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        same[unicodedata.normalize("NFC", case.name).casefold()].append(case)
    found: dict[Path, str] = {}
    for shared in same.values():
        if len(shared) > 1:
            files = " and ".join(sorted(_shown(case.scan, folder) for case in shared))
            text = (
                f"{files} have names that differ only in suffix or capitalisation, and would share an output folder; "
                "expected distinct names. Rename one of them."
            )
            found |= {case.scan: text for case in shared}
    return found


def _shown(path: Path, folder: Path) -> str:
    """A path relative to the folder of the cohort, in printable characters."""
    text = str(path.relative_to(folder)) if path.is_relative_to(folder) else path.name
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _is_cohort_of_studies(root: FolderContents) -> bool:
    """Whether a folder without scan files is a cohort; a few slices beside the folders have strayed there."""
    return bool(root.folders) and not root.is_series and root.has_several_studies


def _walk(folder: FolderContents, prefix: str) -> Iterator[Case]:
    for file in folder.scans:
        yield Case(file, prefix + file.name[: -len(case_suffix(file))])
    if not folder.has_slices:  # else they stand for slices
        for link in folder.dangling:
            yield Case(link, prefix + link.name)
    for below in folder.folders:
        name = prefix + below.path.name
        if _is_walked(below):
            if below.has_slices:
                yield Case(below.path, name)
            yield from _walk(below, f"{name}/")
        elif below.may_be_scan:
            yield Case(below.path, name)


def _is_walked(folder: FolderContents) -> bool:
    """Whether what is in a folder are cases, rather than the folder itself."""
    return folder.contains_scans or _is_cohort_of_studies(folder)


def _check_ambiguity(root: FolderContents) -> None:
    """Check that a folder with scan files is not also the folder of a series."""
    if root.has_slices:
        files = [path for folder in root.tree for path in folder.scans]
        raise ScanError(
            f"the folder can be read in two ways, as one series of DICOM slices and as a cohort of {len(files)} scan "
            f"file{'s' * (len(files) > 1)} ({_names(files)}); expected one or the other. "
            "Move the scan files or the slices to another folder, or pass the scan file itself."
        )


def _check_not_masks_only(root: FolderContents) -> None:
    """Check that there is something else than masks and results of earlier runs."""
    skipped = sum(len(folder.masks) + len(folder.results) for folder in root.tree)
    if skipped and not root.may_be_scan:
        raise ScanError(
            f"the folder contains only masks and results of earlier runs ({skipped} file{'s' * (skipped > 1)}); "
            "expected scans. "
            "Pass the folder of the scans, or a file itself if it is a scan."
        )


def _skipped_warning(root: FolderContents) -> tuple[str, ...]:
    masks = [path for folder in root.tree for path in folder.masks]
    images = [
        path
        for folder in root.tree
        for path in folder.results
        if path.name.lower().endswith(SCAN_SUFFIXES)
    ]
    skipped = [*masks, *images]
    if not skipped:
        return ()
    was = (
        "1 file is a mask or result of an earlier run and was"
        if len(skipped) == 1
        else (f"{len(skipped)} files are masks or results of earlier runs and were")
    )
    return (f"{was} skipped: {_names(skipped)}.",)


def _unsearched_warning(root: FolderContents) -> tuple[str, ...]:
    if root.unsearched is None or not root.unsearched.contains_scans:
        return ()
    return ("The folder of the results contains scan files: it was not searched.",)


def _stray_warnings(root: FolderContents, cases: Sequence[Case]) -> tuple[str, ...]:
    """Warnings about slices beside scans, and folders that are not cases as they are."""
    taken = {case.scan for case in cases}
    inner = [root, *filter(_is_walked, root.tree[1:])]
    stray = sum(0 < each.probe.slices < ENOUGH_SLICES for each in inner)
    both = sum(each.path in taken for each in inner)
    split = sum(not each.contains_scans for each in inner[1:])
    return (
        *_counted(stray, "contains one or two DICOM slices beside scans: they were skipped"),
        *_counted(
            both,
            "contains both DICOM slices and scan files: the slices are a case, and so is each file",
        ),
        *_counted(split, "contains scans of several studies: each folder in it is a case"),
    )


def _counted(count: int, what: str) -> tuple[str, ...]:
    if not count:
        return ()
    return (
        (f"1 folder {what}.",)
        if count == 1
        else (f"{count} folders {what.replace('contains', 'contain', 1)}.",)
    )


def _names(files: Iterable[Path]) -> str:
    """File names with their number, without folders, whose names may be those of patients."""
    counts = Counter(_shown(path, path.parent) for path in files)
    names = [name if count == 1 else f"{name} ({count})" for name, count in counts.most_common()]
    return ", ".join(names[:_LISTED]) + ", ..." * (len(names) > _LISTED)
