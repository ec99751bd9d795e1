"""Files in the folders of a dataset that belong to no case: none may be dropped silently."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from rma_mamba.conventions import NIFTI_SUFFIXES, strip_suffix
from rma_mamba.datasets.layouts.index import DatasetIndex, IndexedCase, LayoutFault
from rma_mamba.datasets.source_files import SLICE_SUFFIXES
from rma_mamba.folder_tree import as_text, visible

_SUFFIXES = (*NIFTI_SUFFIXES, *SLICE_SUFFIXES)
_SHOWN = 5  # file names in one sentence


def with_unused_files(dataset: DatasetIndex) -> DatasetIndex:
    """The dataset with its unused files reported.

    A second file of a case is an error, because either may be the right one. Other images without a case are an
    irregularity. Layouts report labels without an image themselves.

    Args:
        dataset: All cases of the dataset.
    """
    reported = {path for fault in dataset.faults for path in fault.files} | dataset.set_aside
    unused = {path: case for path, case in _unused(dataset) if path not in reported}
    faults = [_second_file(path, case) for path, case in unused.items() if case is not None]
    images = {path.parent for case in dataset.cases for path in case.scans}
    others = [path for path, case in unused.items() if case is None and path.parent in images]
    return replace(
        dataset,
        faults=(*dataset.faults, *faults),
        irregularities=(*dataset.irregularities, *_sentence(others)),
    )


def _unused(dataset: DatasetIndex) -> Iterator[tuple[Path, IndexedCase | None]]:
    """Unused files, each with the case that has a file of the same name in the same folder."""
    used = {path: case for case in dataset.cases for path in case.files}
    stems = {(path.parent, _stem(path)): case for path, case in used.items()}
    for folder in dict.fromkeys(path.parent for path in used):
        for path in visible(folder.iterdir()):
            if path not in used and path.name.lower().endswith(_SUFFIXES) and path.is_file():
                yield path, stems.get((folder, _stem(path)))


def _stem(path: Path) -> str:
    return strip_suffix(path.name, _SUFFIXES)


def _second_file(path: Path, case: IndexedCase) -> LayoutFault:
    text = (
        f"the case has a second file, {as_text(path.name)}; expected one image and one label. "
        "Remove the wrong one."
    )
    return LayoutFault("files", text, (case.name,), (path,))


def _sentence(paths: list[Path]) -> list[str]:
    if not paths:
        return []
    names = ", ".join(as_text(path.name) for path in paths[:_SHOWN])
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    plural = len(paths) > 1
    return [
        f"{len(paths)} image file{'s' if plural else ''} without a case ({names}{more}): "
        f"not used. Expected names as in the documentation of the layout."
    ]
