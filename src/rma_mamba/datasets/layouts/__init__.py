"""How published datasets and a user's own lie on disk: one file a layout, one description for all.

>>> dataset = open_dataset("cirrmri600", "data/cirrmri")
>>> dataset.entries[0].patient
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rma_mamba.datasets.layouts import chaos, cirrmri600, lits, nnunet_raw, plain_folders
from rma_mamba.datasets.layouts.index import DatasetIndex, IndexedCase, LayoutOptions
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
    """One way to lay out a dataset.

    Args:
        recognises: Whether a folder holds it.
        read: Lists its cases; no voxel is read.
        expected: What lies in such a folder, for an error.
    """

    recognises: Callable[[Path], bool]
    read: Callable[[Path, LayoutOptions], DatasetIndex]
    expected: str


# In the order in which a folder is asked: the plain one last, since others look like it.
LAYOUTS = {
    "cirrmri600": Layout(cirrmri600.recognises, cirrmri600.read, cirrmri600.EXPECTED),
    "chaos": Layout(chaos.recognises, chaos.read, chaos.EXPECTED),
    "msd-liver": Layout(lits.recognises_msd, lits.read_msd, lits.EXPECTED_MSD),
    "lits": Layout(lits.recognises, lits.read, lits.EXPECTED),
    "nnunet": Layout(nnunet_raw.recognises, nnunet_raw.read, nnunet_raw.EXPECTED),
    "folders": Layout(plain_folders.recognises, plain_folders.read, plain_folders.EXPECTED),
}


def detect(root: str | Path) -> str | None:
    """Name of the layout of a folder; None: of none that is known."""
    return next((name for name, each in LAYOUTS.items() if each.recognises(Path(root))), None)


def open_dataset(
    name: str, root: str | Path, options: LayoutOptions | None = None, sequences: Sequence[str] = ()
) -> DatasetIndex:
    """The cases of a dataset.

    Args:
        name: One of `LAYOUTS`, or "auto": as `detect` says.
        root: The folder that it lies in, or one of its own folders; doubled folders are understood.
        options: Which label values are liver, and how a patient is found in a name.
        sequences: These alone; empty: all.

    Raises:
        ConfigError: There is no such layout, or the folder does not hold it.
    """
    folder = Path(root)
    if not folder.is_dir():
        raise ConfigError(
            "the dataset's folder does not exist; expected the folder it was unpacked to. Check the path."
        )
    chosen = LAYOUTS.get((detect(folder) or "") if name == "auto" else name)
    if chosen is None:
        found = "is of no known layout" if name == "auto" else f"cannot be read as '{name}'"
        raise ConfigError(
            f"the dataset's folder {found}; expected one of {', '.join(LAYOUTS)}. "
            "Compare it with docs/how-to/prepare-datasets.md."
        )
    dataset = chosen.read(folder, options or LayoutOptions()) if chosen.recognises(folder) else None
    if dataset is None or not dataset.entries:
        seen = detect(folder)
        hint = f"It looks like '{seen}'." if seen and LAYOUTS[seen] is not chosen else ""
        raise ConfigError(
            f"found no case of {name} in the folder; expected {chosen.expected}. "
            f"{hint or 'Give the folder that these lie in.'}"
        )
    return dataset.only(sequences) if sequences else dataset
