"""Which files a segmentation leaves: named and checked before any work, written all or none."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import astuple, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rma_mamba.errors import ConfigError
from rma_mamba.files import replace_file
from rma_mamba.reporting import Measurements, write_preview
from rma_mamba.scans import MASK_SUFFIXES, write_mask, write_scan
from rma_mamba.volume import Volume

if TYPE_CHECKING:
    from rma_mamba.inference import Segmentation

_SCAN_SUFFIXES = (
    *(".nii.gz", ".nii", ".hdr.gz", ".hdr", ".img.gz", ".img", ".zip", ".dcm", ".nrrd", ".nhdr"),
    *(".mha", ".mhd", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp"),
)


@dataclass(frozen=True)
class Outputs:
    """The files of one case."""

    mask: Path
    preview: Path | None = None
    statistics: Path | None = None
    probabilities: Path | None = None


def plan(
    scan: Path, out: Path, *, preview: bool, statistics: bool, probabilities: bool = False
) -> Outputs:
    """Name and check the files of one case; nothing is written yet.

    A file name is honoured as given, and preview and statistics go beside it (`liver_preview.png`);
    a folder, or a name without suffix, gets `<case>/liver.nii.gz`, `preview.png`, `statistics.json`.

    Raises:
        ConfigError: The mask's kind is unknown, a file cannot be written there, or it is the scan.
    """
    try:
        outputs = _named(scan, out, preview, statistics, probabilities)
        if outputs.mask.exists() and scan.exists() and outputs.mask.samefile(scan):
            raise ConfigError(
                "the output file is the scan itself; expected another file. Choose another name."
            )
        for path in filter(None, astuple(outputs)):
            check_writable(path)
    except OSError as error:  # a name that is too long, a folder that may not be looked into
        raise ConfigError(
            f"the output path cannot be used ({error.strerror or 'input/output error'}); expected one "
            "that can. Choose another name or folder."
        ) from None
    return outputs


def _named(scan: Path, out: Path, preview: bool, statistics: bool, probabilities: bool) -> Outputs:
    if out.is_dir() or not out.suffix:
        folder, stem = out / _without(_SCAN_SUFFIXES, scan.resolve().name), ""
        mask = folder / "liver.nii.gz"
    else:
        folder, stem, mask = out.parent, f"{_without(MASK_SUFFIXES, out.name)}_", out
        if stem == f"{out.name}_":
            raise ConfigError(
                f"the output file has another ending; expected {' or '.join(MASK_SUFFIXES)}. "
                "Give a name with one of these endings, or a folder."
            )
    return Outputs(
        mask,
        folder / f"{stem}preview.png" if preview else None,
        folder / f"{stem}statistics.json" if statistics else None,
        folder / f"{stem}probabilities.nii.gz" if probabilities else None,
    )


def write(
    outputs: Outputs, volume: Volume, result: Segmentation, found: Measurements, *, model: str
) -> None:
    """Write the files of one case; after an error none is left behind that was not there before."""
    shown = replace(volume, modality=result.modality)
    steps: list[tuple[Path | None, Callable[[Path], None]]] = [
        (outputs.preview, lambda path: write_preview(shown, result.mask, path)),
        (outputs.statistics, lambda path: _write_json(path, _statistics(result, found, model))),
        (outputs.probabilities, lambda path: _write_probabilities(path, result)),
        (outputs.mask, lambda path: write_mask(result.mask, path)),
    ]
    written: list[Path] = []
    try:
        for path, write_file in steps:
            if path is not None:
                fresh = not path.exists()
                write_file(path)
                written += [path] if fresh else []
    except BaseException:
        for path in written:
            with suppress(OSError):
                path.unlink(missing_ok=True)
        raise


def _statistics(result: Segmentation, found: Measurements, model: str) -> dict[str, Any]:
    names = ("right_to_left", "front_to_back", "foot_to_head")
    geometry = result.mask.geometry
    return {
        "volume_ml": round(found.volume_ml, 3),
        "extent_mm": {
            name: round(size, 3) for name, size in zip(names, found.extent_mm, strict=True)
        },
        "touches_border": list(found.touches_border),
        "modality": result.modality,
        "grid_voxels": list(geometry.shape),
        "spacing_mm": [round(size, 6) for size in geometry.spacing_mm],
        "warnings": list(dict.fromkeys((*result.warnings, *found.warnings))),
        "model": Path(model).name,  # of a weights file the name only: a path may name a person
        "software": f"rma-mamba {version('rma-mamba')}",
    }


def _write_probabilities(path: Path, result: Segmentation) -> None:
    if result.probabilities is not None:
        write_scan(Volume(result.probabilities, result.mask.geometry), path)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    replace_file(path, (json.dumps(content, indent=2) + "\n").encode(), "statistics")


def _without(suffixes: tuple[str, ...], name: str) -> str:
    """A file name without the first of the suffixes that it ends in."""
    for suffix in sorted(suffixes, key=len, reverse=True):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name


def check_writable(path: Path) -> None:
    """See that a file can be written, in folders that may have to be made.

    Raises:
        ConfigError: It cannot.
    """
    if path.is_dir():
        raise ConfigError("the output is a folder; expected the name of a file. Choose another.")
    folder = path.parent
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigError(
            "the output's folder cannot be written; expected one that can. "
            "Choose another folder or ask for the right to write there."
        )
