"""What a prepared folder holds, case by case; written before the files that it names, and again after each."""

from __future__ import annotations

import glob
import hashlib
from collections.abc import Iterable
from pathlib import Path

import pydantic
from pydantic import Field

from rma_mamba.datasets.config import Settings, Side
from rma_mamba.errors import ConfigError
from rma_mamba.files import file_sha256, replace_file

MANIFEST = "manifest.json"


class PreparedCase(Settings):
    """One case."""

    name: str
    """As the check of the dataset names it."""

    patient: str
    """Number inside the cohort."""

    cohort: str
    """Cases of one cohort share their patients."""

    sequence: str
    """What was taken."""

    kind: str
    """volume, or slices (pictures)."""

    side: Side | None = None
    """Of the published split."""

    modality: str | None = None
    """CT or MR, where it is known."""

    place: str
    """Folder of its sequence, below the prepared folder; it holds `images` and `labels`, and with exported
    pictures `png_images` and `png_labels`."""

    stem: str
    """Beginning of the names of its files: the patient, and __2 for a second scan. Volumes end in .nii, slices in
    _zNNNN.png, from foot to head. Labels are 0 and 1, in pictures 0 and 255."""

    files: int = 0
    """How many files it has."""

    image_sha256: str = ""
    """Of the source's image file; of a folder or several files, of their digests in the order of their names."""

    label_sha256: str = ""
    """Of the source's label."""

    low: float = 0
    """Grey value, in the scan's own unit, that the network sees as 0 and an exported picture shows as black."""

    high: float = 255
    """Grey value that becomes 1, and white."""

    spacing_mm: tuple[float, float, float] | None = None
    """Of columns, rows and slices; None: pictures."""

    shape: tuple[int, int, int] = (0, 0, 0)
    """Columns, rows and slices."""

    slices: int = 0
    """Axial slices, those without liver included."""

    slices_with_liver: int = 0
    """Those with liver."""

    liver: tuple[int, ...] = ()
    """Values of the source's label that count as liver."""

    done: bool = False
    """Whether its files are complete."""


class Manifest(Settings):
    """A whole prepared folder."""

    dataset: str
    """Name of the layout it was read from."""

    ct_window_hu: tuple[float, float]
    """Window of CT."""

    pictures: bool = False
    """Whether each slice was exported as a picture, too."""

    notes: tuple[str, ...] = ()
    """What a reader of results should know of the dataset."""

    left_out: dict[str, str] = Field(default={})
    """Cases with an error that were left out, and why."""

    complete: bool = False
    """Whether all cases are done."""

    cases: tuple[PreparedCase, ...] = Field(default=())
    """All cases."""


def files_of(folder: Path, case: PreparedCase) -> list[Path]:
    """All files of a case that exist."""
    parts = [
        folder / case.place / part for part in ("images", "labels", "png_images", "png_labels")
    ]
    volumes = [path for path in (part / f"{case.stem}.nii" for part in parts[:2]) if path.exists()]
    pictures = [path for part in parts for path in part.glob(f"{glob.escape(case.stem)}_z*.png")]
    return volumes + pictures


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a folder; None: there is none.

    Raises:
        ConfigError: It cannot be understood.
    """
    path = folder / MANIFEST
    if not path.exists():
        return None
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except (OSError, pydantic.ValidationError):
        raise ConfigError(
            f"the {MANIFEST} in the output folder cannot be understood; expected one of this command. "
            "Choose another folder, or remove this one."
        ) from None


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Replace the manifest of a folder in one step."""
    replace_file(folder / MANIFEST, (manifest.model_dump_json(indent=1) + "\n").encode(), MANIFEST)


def digest_of(paths: Iterable[Path]) -> str:
    """SHA-256 of one file; of folders and several files, of the digests of all files in them."""
    files = [
        each for path in paths for each in (sorted(path.iterdir()) if path.is_dir() else [path])
    ]
    digests = [file_sha256(path) for path in files if path.is_file()]
    return (
        digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
    )
