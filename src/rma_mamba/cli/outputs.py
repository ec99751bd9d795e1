"""Which files a segmentation leaves: named and checked before any work, written all or none."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import astuple, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rma_mamba.cli.provenance import describe_result, with_files
from rma_mamba.errors import ConfigError
from rma_mamba.files import all_or_none, replace_file
from rma_mamba.reporting import Measurements, write_preview
from rma_mamba.scans import MASK_SUFFIXES, write_mask, write_scan
from rma_mamba.volume import Volume

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from rma_mamba.cli.request import Wanted
    from rma_mamba.inference import Segmentation

_SCAN_SUFFIXES = (
    *(".nii.gz", ".nii", ".hdr.gz", ".hdr", ".img.gz", ".img", ".zip", ".dcm", ".nrrd", ".nhdr"),
    *(".mha", ".mhd", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp"),
)


@dataclass(frozen=True)
class Outputs:
    """The files of one case, all in one folder."""

    mask: Path
    preview: Path | None = None
    statistics: Path | None = None
    probabilities: Path | None = None
    uncertainty: Path | None = None
    report: Path | None = None
    report_pdf: Path | None = None
    run: Path | None = None

    @property
    def paths(self) -> list[Path]:
        """All that are wanted."""
        return [path for path in astuple(self) if path is not None]

    @property
    def results(self) -> list[Path]:
        """All but the record of the run."""
        return [path for path in self.paths if path != self.run]


def plan(scan: Path, out: str | Path, wanted: Wanted, *, case: str | None = None) -> Outputs:
    """Name and check the files of one case; nothing is written yet.

    A file name is honoured as given, and preview and statistics go beside it (`liver_preview.png`);
    a folder, a name without suffix, or one that ends in a slash, gets `<case>/liver.nii.gz`, `preview.png`,
    `statistics.json`, and `run.json`, which says what ran.

    Args:
        scan: The scan.
        out: As it was typed.
        wanted: What is written beside the mask.
        case: Name of the case in the folder `out`; None: the scan's own.

    Raises:
        ConfigError: The mask's kind is unknown, a file cannot be written there, or it is the scan.
    """
    try:
        outputs = _named(scan, out, wanted, case)
        if outputs.mask.exists() and scan.exists() and outputs.mask.samefile(scan):
            raise ConfigError(
                "the output file is the scan itself; expected another file. Choose another name."
            )
        for path in outputs.paths:
            check_writable(path)
    except OSError as error:  # a name that is too long, a folder that may not be looked into
        raise ConfigError(
            f"the output path cannot be used ({error.strerror or 'input/output error'}); expected one "
            "that can. Choose another name or folder."
        ) from None
    return outputs


def is_folder(out: str | Path) -> bool:
    """Whether an output, as it was typed, is a folder for cases."""
    path = Path(out)
    return str(out).endswith(("/", os.sep)) or path.is_dir() or not path.suffix


def _named(scan: Path, out: str | Path, wanted: Wanted, case: str | None) -> Outputs:
    path = Path(out)
    if case is not None or is_folder(out):
        folder, stem = path / (case or _without(_SCAN_SUFFIXES, scan.resolve().name)), ""
        mask = folder / "liver.nii.gz"
    else:
        folder, stem, mask = path.parent, f"{_without(MASK_SUFFIXES, path.name)}_", path
        if stem == f"{path.name}_":
            raise ConfigError(
                f"the output file has another ending; expected {' or '.join(MASK_SUFFIXES)}. "
                "Give a name with one of these endings, or a folder: its name ends in a slash."
            )
    return Outputs(
        mask,
        folder / f"{stem}preview.png" if wanted.preview else None,
        folder / f"{stem}statistics.json" if wanted.statistics else None,
        folder / f"{stem}probabilities.nii.gz" if wanted.probabilities else None,
        folder / f"{stem}uncertainty.nii.gz" if wanted.uncertainty else None,
        folder / f"{stem}report.html" if wanted.report else None,
        folder / f"{stem}report.pdf" if wanted.report else None,
        None if stem else folder / "run.json",
    )


def write(outputs: Outputs, volume: Volume, result: Segmentation, run: dict[str, Any]) -> None:
    """Write the files of one case, all or none: after an error what was there before is as it was."""
    shown = replace(volume, modality=result.modality)
    run = {**run, **describe_result(result)}
    statistics = _statistics(result, result.measurements, run["model"])
    steps: list[tuple[Path | None, Callable[[Path], None]]] = [
        (outputs.preview, lambda path: write_preview(shown, result.mask, path)),
        (outputs.statistics, lambda path: _write_json(path, statistics)),
        (outputs.probabilities, lambda path: _write_map(path, result, result.probabilities)),
        (outputs.uncertainty, lambda path: _write_map(path, result, result.uncertainty_bits)),
        (outputs.report, lambda path: _write_report(path, shown, result, statistics, run)),
        (outputs.report_pdf, lambda path: _write_report(path, shown, result, statistics, run)),
        (outputs.mask, lambda path: write_mask(result.mask, path)),
        (outputs.run, lambda path: _write_json(path, with_files(run, path.parent))),
    ]
    last = "" if outputs.run is None else outputs.run.name
    with all_or_none(outputs.mask.parent, "results", last=last) as staging:
        for path, write_file in steps:
            if path is not None:
                write_file(staging / path.name)


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
        "quality": result.quality.as_dict(),
        "warnings": list(dict.fromkeys((*result.warnings, *found.warnings))),
        "model": Path(model).name,  # of a weights file the name only: a path may name a person
        "software": f"rma-mamba {version('rma-mamba')}",
    }


def _write_map(path: Path, result: Segmentation, values: npt.NDArray[np.float32] | None) -> None:
    if values is not None:
        write_scan(Volume(values, result.mask.geometry), path)


def _write_report(
    path: Path,
    shown: Volume,
    result: Segmentation,
    statistics: dict[str, Any],
    run: dict[str, Any],
) -> None:
    from rma_mamba.reporting.report import Report, write_html, write_pdf

    report = Report(shown, result.mask, result.quality, statistics, run)
    (write_pdf if path.suffix == ".pdf" else write_html)(report, path)


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
