"""Which files a segmentation leaves: named and checked before any work, written all or none."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from rma_mamba.errors import ConfigError
from rma_mamba.files import replace_file, write_together
from rma_mamba.pipeline.output_types import MEASURED, beside_file, in_folder, without
from rma_mamba.pipeline.provenance import describe_result, with_files
from rma_mamba.reporting import (
    Body,
    Quantities,
    quantify,
    write_csv,
    write_json,
    write_preview,
)
from rma_mamba.scans import write_mask, write_scan, write_structured_report
from rma_mamba.scans.checks import require_source_images
from rma_mamba.scans.writers import (
    DICOM_FORMATS,
    MASK_FORMATS,
    MASK_SUFFIXES,
    MaskFormat,
)
from rma_mamba.volume import Mask, Volume

if TYPE_CHECKING:
    from rma_mamba.inference import Segmentation
    from rma_mamba.pipeline.request import Wanted

_SCAN_SUFFIXES = (
    *(".nii.gz", ".nii", ".hdr.gz", ".hdr", ".img.gz", ".img", ".zip", ".dcm", ".nrrd", ".nhdr"),
    *(".mha", ".mhd", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp"),
)

SOFTWARE = f"rma-mamba {version('rma-mamba')}"


@dataclass(frozen=True)
class Outputs:
    """The files of one case, all in one folder: masks and measurements by kind, and others."""

    files: dict[str, Path]
    preview: Path | None = None
    statistics: Path | None = None
    probabilities: Path | None = None
    uncertainty: Path | None = None
    report: Path | None = None
    report_pdf: Path | None = None
    run: Path | None = None

    @property
    def mask(self) -> Path:
        """The first file: the one that was asked for."""
        return next(iter(self.files.values()))

    @property
    def paths(self) -> list[Path]:
        """All that are wanted."""
        others = (self.preview, self.statistics, self.probabilities, self.uncertainty)
        whole = (self.report, self.report_pdf, self.run)
        return [*self.files.values(), *(path for path in (*others, *whole) if path is not None)]

    @property
    def results(self) -> list[Path]:
        """All but the record of the run."""
        return [path for path in self.paths if path != self.run]


def plan(scan: Path, out: str | Path, wanted: Wanted, *, case: str | None = None) -> Outputs:
    """Name and check the files of one case; nothing is written yet.

    A file name is honoured as given, and all others go beside it (`liver_preview.png`);
    a folder, a name without suffix, or one that ends in a slash, gets `<case>/liver.nii.gz`, `preview.png`,
    `statistics.json`, the names in `kinds`, and `run.json`, which says what ran.

    Args:
        scan: The scan.
        out: As it was typed.
        wanted: What is written.
        case: Name of the case in the folder `out`; None: the scan's own.

    Raises:
        ConfigError: The mask's kind is unknown, a file cannot be written there, or it is the scan.
    """
    try:
        outputs = _named(scan, out, wanted, case)
        for path in outputs.paths:
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


def is_folder(out: str | Path) -> bool:
    """Whether an output, as it was typed, is a folder for cases."""
    path = Path(out)
    return str(out).endswith(("/", os.sep)) or path.is_dir() or not path.suffix


def case_name(scan: Path) -> str:
    """What a scan's folder of results is called: the scan's name without its ending."""
    return without(_SCAN_SUFFIXES, scan.resolve().name)


def _named(scan: Path, out: str | Path, wanted: Wanted, case: str | None) -> Outputs:
    path = Path(out)
    if case is not None or is_folder(out):
        folder, stem = path / (case or case_name(scan)), ""
        files = in_folder(folder, wanted.kinds)
    else:
        files = beside_file(path, wanted.kinds)
        folder, stem = path.parent, f"{without((*MASK_SUFFIXES, '.json', '.csv'), path.name)}_"
    return Outputs(
        files,
        folder / f"{stem}preview.png" if wanted.preview else None,
        folder / f"{stem}statistics.json" if wanted.statistics else None,
        folder / f"{stem}probabilities.nii.gz" if wanted.probabilities else None,
        folder / f"{stem}uncertainty.nii.gz" if wanted.uncertainty else None,
        folder / f"{stem}report.html" if wanted.report else None,
        folder / f"{stem}report.pdf" if wanted.report else None,
        None if stem else folder / "run.json",
    )


def check_scan(outputs: Outputs, volume: Volume) -> None:
    """See that what was asked for can be made of this scan.

    Raises:
        ConfigError: A DICOM object was asked for, and the scan is no DICOM.
    """
    for kind in outputs.files:
        if kind in DICOM_FORMATS:
            require_source_images(volume.source_images, kind)


def write(
    outputs: Outputs,
    result: Segmentation,
    run: dict[str, Any],
    body: Body | None = None,
) -> None:
    """Write the files of one case, all or none: after an error what was there before is as it was.

    The result's probabilities are used up where an uncertainty is written.
    """
    run = {**run, **describe_result(result)}
    with write_together("results", last=outputs.run) as place:
        for kind, path in outputs.files.items():
            if kind in MASK_FORMATS:
                write_mask(result.mask, place(path), cast("MaskFormat", kind))
        if outputs.preview:
            write_preview(result.scan, result.mask, place(outputs.preview))
        _write_maps(outputs, result, place)
        if outputs.statistics or outputs.report or set(outputs.files) & set(MEASURED):
            measured = quantify(result.mask, result.scan, body)
            _write_measured(outputs, result.mask, measured, place)
            if outputs.statistics:
                statistics = _statistics(result, measured, run["model"])
                _write_json(place(outputs.statistics), statistics)
            for path in filter(None, (outputs.report, outputs.report_pdf)):
                _write_report(place(path), result, measured, run)
        if outputs.run:
            record = place(outputs.run)
            _write_json(record, with_files(run, record.parent))


def _write_measured(
    outputs: Outputs, mask: Mask, measured: Quantities, place: Callable[[Path], Path]
) -> None:
    files = outputs.files
    if "json" in files:
        write_json(measured, place(files["json"]), software=SOFTWARE)
    if "csv" in files:
        write_csv(measured, place(files["csv"]))
    if "dicom_sr" in files:
        write_structured_report(
            mask,
            measured.record,
            place(files["dicom_sr"]),
            comments=measured.warnings,
            segmentation=place(files["dicom_seg"]) if "dicom_seg" in files else None,
        )


def _statistics(result: Segmentation, measured: Quantities, model: str) -> dict[str, Any]:
    names = ("right_to_left", "front_to_back", "foot_to_head")
    geometry, found = result.mask.geometry, result.measurements
    return {
        **measured.record,
        "extent_mm": {
            name: round(size, 3) for name, size in zip(names, found.extent_mm, strict=True)
        },
        "touches_border": list(found.touches_border),
        "modality": result.modality,
        "grid_voxels": list(geometry.shape),
        "spacing_mm": [round(size, 6) for size in geometry.spacing_mm],
        "quality": result.quality.as_dict(),
        "warnings": list(dict.fromkeys((*result.warnings, *measured.warnings))),
        "model": Path(model).name,  # of a weights file the name only: a path may name a person
        "software": SOFTWARE,
    }


def _write_maps(outputs: Outputs, result: Segmentation, place: Callable[[Path], Path]) -> None:
    """Probabilities, then uncertainty in their place: both at once may be more than there is memory."""
    likely, geometry = result.probabilities, result.mask.geometry
    if likely is None:
        return
    if outputs.probabilities:
        write_scan(Volume(likely, geometry), place(outputs.probabilities))
    if outputs.uncertainty:
        from rma_mamba.inference.uncertainty import entropy_bits

        write_scan(
            Volume(entropy_bits(likely, in_place=True), geometry), place(outputs.uncertainty)
        )


def _write_report(
    path: Path, result: Segmentation, measured: Quantities, run: dict[str, Any]
) -> None:
    from rma_mamba.reporting.report import Report, write_html, write_pdf

    # no zeros of faces that the liver does not reach, no sizes of a ratio that is not there
    hidden = ("cut_",) if measured.nodularity_ratio else ("cut_", "nodularity_")
    shown_values = {
        name: value
        for name, value in measured.record.items()
        if not name.startswith(hidden) or (value and name.startswith("cut_"))
    }
    statistics = {
        **shown_values,
        "touches_border": list(result.measurements.touches_border),
        "grid_voxels": list(result.mask.geometry.shape),
        "warnings": list(dict.fromkeys((*result.warnings, *measured.warnings))),
    }
    report = Report(result.scan, result.mask, result.quality, statistics, run)
    (write_pdf if path.suffix == ".pdf" else write_html)(report, path)


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
