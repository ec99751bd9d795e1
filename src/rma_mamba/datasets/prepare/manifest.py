"""The manifest of a prepared folder, which lists its cases.

It is written before the first case, again while cases are written, and at the end, even after an error, so that an
interrupted preparation can be resumed.
"""

from __future__ import annotations

import glob
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pydantic
from pydantic import Field, model_validator

from rma_mamba.datasets.settings import Settings
from rma_mamba.datasets.splits import SplitName
from rma_mamba.deprecation import (
    suppress_rename_warnings,
    with_old_fields,
    with_renamed_keys,
)
from rma_mamba.errors import ConfigError
from rma_mamba.files import file_sha256, replace_file
from rma_mamba.folder_tree import visible
from rma_mamba.label_scheme import LabelScheme
from rma_mamba.slicing import Intensity

MANIFEST = "manifest.json"

_OLD_CASE_FIELDS = {"dataset": "cohort", "split": "side"}
_OLD_FIELDS = {"png": "pictures"}


class PreparedCase(Settings):
    """A case of a prepared folder."""

    name: str
    """Name of the case, as in the report of `rma-mamba data check`."""

    patient: str
    """Patient ID within the dataset."""

    dataset: str
    """Namespace of the patient ID. Cases with the same dataset and patient ID are of one patient."""

    sequence: str
    """What was acquired, for example T1, T2 or CT."""

    kind: str
    """volume, or slices (PNG or JPEG files)."""

    split: SplitName | None = None
    """Published split (train, val or test); null if none was published."""

    modality: str | None = None
    """CT or MR; null if unknown."""

    place: str
    """Folder of the sequence, relative to the prepared folder. It contains `images` and `labels`, and after --png
    also `png_images` and `png_labels`."""

    stem: str
    """Beginning of the file names: the patient ID, followed by __2 for the second scan of a patient. Volumes end in
    .nii, slices in _zNNNN.png, numbered from inferior to superior. Labels are 0 and 1, in PNG files 0 and 255; those
    of several classes are label maps."""

    files: int = 0
    """Number of files of the case."""

    image_sha256: str = ""
    """SHA-256 of the original image file; of several files, of their digests in the order of their names."""

    label_sha256: str = ""
    """SHA-256 of the original label, likewise."""

    intensity: Intensity = "scan"
    """Mapping of intensities to the network's input: "stored" (grey level 0 to 0, 255 to 1) for slices, "scan" (CT
    window, or percentiles of the volume) for volumes."""

    low: float = 0
    """Intensity that becomes 0 in the network's input and black in PNG files."""

    high: float = 255
    """Intensity that becomes 1 in the network's input and white in PNG files."""

    spacing_mm: tuple[float, float, float] | None = None
    """Spacing of columns, rows and slices in mm; null for slices."""

    shape: tuple[int, int, int] = (0, 0, 0)
    """Number of columns, rows and slices."""

    slices: int = 0
    """Number of axial slices."""

    slices_with_liver: int = 0
    """Number of axial slices with liver."""

    liver: tuple[int, ...] = ()
    """Values of the liver in the original label."""

    classes: dict[str, tuple[int, ...]] = Field(default={})
    """Values of each class in the original label; empty if the liver alone was prepared."""

    channels: tuple[str, ...] = ()
    """Channels that the case has, of several; the images of each are in a folder of its own. Empty: a single scan."""

    resample: bool = False
    """Whether the scans of the case are resampled to the grid of the first."""

    done: bool = False
    """Whether all files of the case have been written."""

    @model_validator(mode="before")
    @classmethod
    def _accept_old_names(cls, data: Any) -> Any:
        return _with_current_names(data, _OLD_CASE_FIELDS)


class Manifest(Settings):
    """A prepared folder."""

    dataset: str
    """Layout of the original dataset."""

    ct_window_hu: tuple[float, float]
    """CT window in HU."""

    png: bool = False
    """Whether the slices of volumes were also exported as PNG files."""

    labels: LabelScheme = LabelScheme()
    """The classes of the labels."""

    notes: tuple[str, ...] = ()
    """Notes on the dataset."""

    left_out: dict[str, str] = Field(default={})
    """Excluded cases, each with its error."""

    complete: bool = False
    """Whether all cases have been written."""

    cases: tuple[PreparedCase, ...] = Field(default=())
    """The cases."""

    @model_validator(mode="before")
    @classmethod
    def _accept_old_names(cls, data: Any) -> Any:
        return _with_current_names(data, _OLD_FIELDS)


def channel_folder_name(channel: str) -> str:
    """Name of the folder with the images of a channel."""
    return f"images_{slug(channel)}"


def slug(text: str) -> str:
    """A text as part of a file name."""
    return re.sub(r"[^A-Za-z0-9.-]+", "-", text).strip("-.") or "x"


def files_of(folder: Path, case: PreparedCase) -> list[Path]:
    """All existing files of a case."""
    place = folder / case.place
    images = [channel_folder_name(name) for name in case.channels] or ["images"]
    of_volumes = [place / part for part in (*images, "labels")]
    parts = [place / part for part in (*images, "labels", "png_images", "png_labels")]
    volumes = [path for path in (part / f"{case.stem}.nii" for part in of_volumes) if path.exists()]
    slices = [path for part in parts for path in part.glob(f"{glob.escape(case.stem)}_z*.png")]
    return volumes + slices


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a folder; None if there is none.

    Raises:
        ConfigError: The file is not a manifest.
    """
    path = folder / MANIFEST
    if not path.exists():
        return None
    try:
        with suppress_rename_warnings():
            return Manifest.model_validate_json(path.read_bytes())
    except (OSError, pydantic.ValidationError):
        raise ConfigError(
            f"the {MANIFEST} in the output folder cannot be read; expected one written by this command. "
            "Choose another folder, or delete this one."
        ) from None


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Replace the manifest of a folder atomically."""
    content = with_old_fields(manifest.model_dump(mode="json"), _OLD_FIELDS)
    content["cases"] = [with_old_fields(case, _OLD_CASE_FIELDS) for case in content["cases"]]
    replace_file(folder / MANIFEST, (json.dumps(content, indent=1) + "\n").encode(), MANIFEST)


def digest_of(paths: Iterable[Path]) -> str:
    """SHA-256 of a file; for a folder or several files, of the digests of all files."""
    files = [
        each for path in paths for each in (visible(path.iterdir()) if path.is_dir() else [path])
    ]
    digests = [file_sha256(path) for path in files if path.is_file()]
    return (
        digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
    )


def _with_current_names(data: Any, old_fields: Mapping[str, str]) -> Any:
    """A record with its fields under their current names; old names beside new ones are dropped."""
    if not isinstance(data, Mapping):
        return data
    beside = {old for new, old in old_fields.items() if new in data}
    kept = {name: value for name, value in data.items() if name not in beside}
    return with_renamed_keys(kept, {old: new for new, old in old_fields.items()})
