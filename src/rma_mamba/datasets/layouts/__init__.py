"""Layouts of public and private datasets on disk: one module per layout, one index for all.

To add a layout, write a module with `recognises` and `read`, and list it in `LAYOUTS`.

>>> dataset = open_dataset("cirrmri600", "data/cirrmri")
>>> dataset.cases[0].patient
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rma_mamba.datasets.layouts import chaos, cirrmri600, lits, nnunet_raw, plain_folders
from rma_mamba.datasets.layouts.index import DatasetIndex, IndexedCase, LayoutOptions
from rma_mamba.datasets.layouts.joined_cases import with_channels
from rma_mamba.datasets.layouts.unused_files import with_unused_files
from rma_mamba.deprecation import renamed_attributes
from rma_mamba.errors import ConfigError

__all__ = [
    "LAYOUTS",
    "DatasetIndex",
    "IndexedCase",
    "Layout",
    "LayoutOptions",
    "detect",
    "open_dataset",
]


@dataclass(frozen=True)
class Layout:
    """A layout of datasets on disk.

    Args:
        recognises: Whether a folder has this layout.
        read: Lists the cases without reading voxels.
        expected: Files that such a folder contains, for error messages.
    """

    recognises: Callable[[Path], bool]
    read: Callable[[Path, LayoutOptions], DatasetIndex]
    expected: str


# In the order of detection: plain folders last, because other layouts resemble them.
LAYOUTS = {
    "cirrmri600": Layout(cirrmri600.recognises, cirrmri600.read, cirrmri600.EXPECTED),
    "chaos": Layout(chaos.recognises, chaos.read, chaos.EXPECTED),
    "msd-liver": Layout(lits.recognises_msd, lits.read_msd, lits.EXPECTED_MSD),
    "lits": Layout(lits.recognises, lits.read, lits.EXPECTED),
    "nnunet": Layout(nnunet_raw.recognises, nnunet_raw.read, nnunet_raw.EXPECTED),
    "folders": Layout(plain_folders.recognises, plain_folders.read, plain_folders.EXPECTED),
}


def detect(root: str | Path) -> str | None:
    """Name of a folder's layout; None: no known layout."""
    return next((name for name, each in LAYOUTS.items() if each.recognises(Path(root))), None)


def open_dataset(
    name: str, root: str | Path, options: LayoutOptions | None = None, sequences: Sequence[str] = ()
) -> DatasetIndex:
    """List the cases of a dataset.

    Args:
        name: A key of `LAYOUTS`, or "auto" to detect the layout.
        root: The folder of the dataset, its parent or one of its subfolders.
        options: Label values of the liver, and how to find the patient ID in a case name.
        sequences: Sequences to include; empty: all.

    Raises:
        ConfigError: The layout is unknown, or the folder does not have it.
    """
    folder = Path(root)
    if not folder.is_dir():
        raise ConfigError(
            "the dataset folder does not exist; expected the folder of the unpacked dataset. Check the path."
        )
    chosen = LAYOUTS.get((detect(folder) or "") if name == "auto" else name)
    if chosen is None:
        found = (
            "the dataset folder has no known layout"
            if name == "auto"
            else f"unknown layout '{name}'"
        )
        raise ConfigError(
            f"{found}; expected one of {', '.join(LAYOUTS)}. Compare the folder with the documentation of datasets."
        )
    options = options or LayoutOptions()
    dataset = chosen.read(folder, options) if chosen.recognises(folder) else None
    if dataset is None or not dataset.cases:
        seen = detect(folder)
        hint = f"The folder looks like '{seen}'." if seen and LAYOUTS[seen] is not chosen else ""
        raise ConfigError(
            f"found no {name} cases in the folder; expected {chosen.expected}. "
            f"{hint or 'Pass the folder that contains these.'}"
        )
    dataset = with_unused_files(dataset)
    dataset = dataset.with_sequences(sequences) if sequences else dataset
    if not options.channels:
        return dataset
    return with_channels(dataset, options.channels, resample=options.resample)


# Hidden from type checkers, which see the new names only.
if not TYPE_CHECKING:
    __getattr__ = renamed_attributes(
        __name__,
        {
            "Dataset": "DatasetIndex",
            "Entry": "IndexedCase",
            "Options": "LayoutOptions",
        },
    )
