"""Which files a segmentation leaves: named and checked before any work, written all or none."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from rma_mamba.cli.in_hu import for_measuring
from rma_mamba.cli.kinds import MEASURED, beside_file, in_folder, without
from rma_mamba.errors import ConfigError
from rma_mamba.files import replace_file, write_together
from rma_mamba.reporting import (
    Body,
    Measurements,
    Quantities,
    quantify,
    write_csv,
    write_json,
    write_preview,
)
from rma_mamba.scans import write_mask, write_report, write_scan
from rma_mamba.scans.writing import (
    ALL_ENDINGS,
    DICOM_KINDS,
    MASK_KINDS,
    MaskKind,
    checked_source,
)
from rma_mamba.volume import Mask, Volume

if TYPE_CHECKING:
    from rma_mamba.inference import Segmentation

_SCAN_SUFFIXES = (
    *(".nii.gz", ".nii", ".hdr.gz", ".hdr", ".img.gz", ".img", ".zip", ".dcm", ".nrrd", ".nhdr"),
    *(".mha", ".mhd", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp"),
)

_SOFTWARE = f"rma-mamba {version('rma-mamba')}"


@dataclass(frozen=True)
class Outputs:
    """The files of one case: masks and measurements by kind, the first being the one that was asked for."""

    files: dict[str, Path]
    preview: Path | None = None
    statistics: Path | None = None
    probabilities: Path | None = None

    @property
    def mask(self) -> Path:
        """The first file."""
        return next(iter(self.files.values()))

    @property
    def every(self) -> list[Path]:
        """All files."""
        others = (self.preview, self.statistics, self.probabilities)
        return [*self.files.values(), *(path for path in others if path is not None)]


def plan(
    scan: Path,
    out: Path,
    *,
    kinds: tuple[str, ...] = (),
    preview: bool,
    statistics: bool,
    probabilities: bool = False,
) -> Outputs:
    """Name and check the files of one case; nothing is written yet.

    A file name is honoured as given, and all others go beside it (`liver_preview.png`); a folder, or a
    name without suffix, gets `<case>/liver.nii.gz`, `preview.png`, `statistics.json`, and the names in `kinds`.

    Raises:
        ConfigError: The mask's kind is unknown, a file cannot be written there, or it is the scan.
    """
    try:
        outputs = _named(scan, out, kinds, preview, statistics, probabilities)
        for path in outputs.every:
            if path.exists() and scan.exists() and path.samefile(scan):
                raise ConfigError(
                    "the output file is the scan itself; expected another file. Choose another name."
                )
            check_writable(path)
    except OSError as error:  # a name that is too long, a folder that may not be looked into
        raise ConfigError(
            f"the output path cannot be used ({error.strerror or 'input/output error'}); expected one "
            "that can. Choose another name or folder."
        ) from None
    return outputs


def _named(
    scan: Path,
    out: Path,
    kinds: tuple[str, ...],
    preview: bool,
    statistics: bool,
    probabilities: bool,
) -> Outputs:
    if out.is_dir() or not out.suffix:
        folder, stem = out / without(_SCAN_SUFFIXES, scan.resolve().name), ""
        files = in_folder(folder, kinds)
    else:
        files = beside_file(out, kinds)
        folder, stem = out.parent, f"{without((*ALL_ENDINGS, '.json', '.csv'), out.name)}_"
    return Outputs(
        files,
        folder / f"{stem}preview.png" if preview else None,
        folder / f"{stem}statistics.json" if statistics else None,
        folder / f"{stem}probabilities.nii.gz" if probabilities else None,
    )


def check_scan(outputs: Outputs, volume: Volume) -> None:
    """See that what was asked for can be made of this scan.

    Raises:
        ConfigError: A DICOM object was asked for, and the scan is no DICOM.
    """
    for kind in outputs.files:
        if kind in DICOM_KINDS:
            checked_source(volume.source, kind)


def write(
    outputs: Outputs,
    volume: Volume,
    result: Segmentation,
    found: Measurements,
    *,
    model: str,
    body: Body | None = None,
) -> None:
    """Write the files of one case: all or none, and older ones stay as they are unless all are replaced."""
    shown = replace(volume, modality=result.modality)
    with write_together("outputs") as place:
        if outputs.preview:
            write_preview(shown, result.mask, place(outputs.preview))
        if outputs.probabilities and result.probabilities is not None:
            likely = Volume(result.probabilities, result.mask.geometry)
            write_scan(likely, place(outputs.probabilities))
        for kind, path in outputs.files.items():
            if kind in MASK_KINDS:
                write_mask(result.mask, place(path), cast("MaskKind", kind))
        if outputs.statistics or set(outputs.files) & set(MEASURED):
            measured = quantify(result.mask, for_measuring(shown), body)
            if outputs.statistics:
                content = _statistics(result, found, measured, model)
                _write_json(place(outputs.statistics), content)
            _write_measured(outputs, result.mask, measured, place)


def _write_measured(
    outputs: Outputs, mask: Mask, measured: Quantities, place: Callable[[Path], Path]
) -> None:
    files = outputs.files
    if "json" in files:
        write_json(measured, place(files["json"]), software=_SOFTWARE)
    if "csv" in files:
        write_csv(measured, place(files["csv"]))
    if "dicom_sr" in files:
        write_report(
            mask,
            measured.record,
            place(files["dicom_sr"]),
            comments=measured.warnings,
            segmentation=place(files["dicom_seg"]) if "dicom_seg" in files else None,
        )


def _statistics(
    result: Segmentation, found: Measurements, measured: Quantities, model: str
) -> dict[str, Any]:
    names = ("right_to_left", "front_to_back", "foot_to_head")
    geometry = result.mask.geometry
    return {
        **measured.record,
        "extent_mm": {
            name: round(size, 3) for name, size in zip(names, found.extent_mm, strict=True)
        },
        "touches_border": list(found.touches_border),
        "modality": result.modality,
        "grid_voxels": list(geometry.shape),
        "spacing_mm": [round(size, 6) for size in geometry.spacing_mm],
        "warnings": list(dict.fromkeys((*result.warnings, *measured.warnings))),
        "model": Path(model).name,  # of a weights file the name only: a path may name a person
        "software": _SOFTWARE,
    }


def _write_json(path: Path, content: dict[str, Any]) -> None:
    replace_file(path, (json.dumps(content, indent=2) + "\n").encode(), "statistics")


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
