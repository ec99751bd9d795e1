"""Output types: every kind of file that `segment` can write. To add a format, add a writer and an entry here.

A writer takes a `CaseResult` and the path to write to. The values of `--output-type`, the file names, the
checks before a run and the tests of the documentation are all derived from `OUTPUT_TYPES`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rma_mamba.conventions import NIFTI_SUFFIXES, software
from rma_mamba.errors import ConfigError
from rma_mamba.pipeline.case_report import pdf_report, write_html_report, write_pdf_report
from rma_mamba.pipeline.case_result import CaseResult
from rma_mamba.pipeline.statistics_json import write_statistics
from rma_mamba.reporting import write_csv, write_json
from rma_mamba.reporting.class_volumes import class_record
from rma_mamba.scans import (
    write_encapsulated_pdf,
    write_mask,
    write_scan,
    write_secondary_capture,
    write_structured_report,
)
from rma_mamba.scans.writers import MaskFormat
from rma_mamba.volume import Volume

Writer = Callable[[CaseResult, Path], None]


@dataclass(frozen=True)
class OutputType:
    """One kind of output file.

    Args:
        name: Name of the type, as in `--output-type nifti`.
        file_name: Name of the file in the folder of a case.
        suffix: Suffix of the file next to another one: `_preview.png` gives `out_preview.png` next to `out.nii.gz`.
        write: Writes the file.
        option: Option that selects it. A file that is selected by `--output-type` may be the output path itself.
        suffixes: Suffixes that the output path may have; None: that of `file_name`.
        dicom: Whether it can be written for DICOM scans only.
        probabilities: Whether it needs the probabilities, which are not kept otherwise.
    """

    name: str
    file_name: str
    suffix: str
    write: Writer
    option: str = "--output-type"
    suffixes: tuple[str, ...] | None = None
    dicom: bool = False
    probabilities: bool = False

    def accepts(self, path: Path) -> bool:
        """Whether a file of this type may have this name."""
        return path.name.lower().endswith(self.allowed_suffixes)

    @property
    def allowed_suffixes(self) -> tuple[str, ...]:
        """Suffixes that the output path may have."""
        return self.suffixes or (Path(self.file_name).suffix,)


def _mask_writer(kind: MaskFormat) -> Writer:
    def write(result: CaseResult, path: Path) -> None:
        write_mask(result.mask, path, kind)

    return write


def _write_json(result: CaseResult, path: Path) -> None:
    write_json(
        result.quantities,
        path,
        **class_record(result.class_volumes),
        **result.notes.as_dict(),
        software=software(),
    )


def _write_csv(result: CaseResult, path: Path) -> None:
    write_csv(result.quantities, path, **result.notes.as_row())


def _write_dicom_sr(result: CaseResult, path: Path) -> None:
    write_structured_report(
        result.mask,
        result.quantities.record,
        path,
        comments=result.notes.sentences,
        segmentation=result.files.get("dicom_seg") if _liver_is_first(result) else None,
    )


def _liver_is_first(result: CaseResult) -> bool:
    """Whether the first segment of a DICOM SEG is the liver that is measured."""
    classes = result.segmentation.mask.classes
    if classes is None:
        return True
    return classes.scheme.values_of(classes.scheme.names[0]) == classes.scheme.liver_values


def _write_preview(result: CaseResult, path: Path) -> None:
    from rma_mamba.reporting import write_preview

    write_preview(result.segmentation.scan, result.segmentation.mask, path)


def _write_dicom_sc(result: CaseResult, path: Path) -> None:
    from rma_mamba.reporting.preview import render_preview

    image = render_preview(result.segmentation.scan, result.segmentation.mask)
    write_secondary_capture(result.mask, np.asarray(image), path)


def _write_dicom_pdf(result: CaseResult, path: Path) -> None:
    content = pdf_report(result, path.parent)
    write_encapsulated_pdf(result.mask, content, path, names_patient=bool(result.identity))


def _write_probabilities(result: CaseResult, path: Path) -> None:
    if result.segmentation.probabilities is not None:
        geometry = result.segmentation.mask.geometry
        write_scan(Volume(result.segmentation.probabilities, geometry), path, is_map=True)


def _write_uncertainty(result: CaseResult, path: Path) -> None:
    """Overwrite the probabilities: both maps together may not fit in memory."""
    if result.segmentation.probabilities is not None:
        from rma_mamba.inference.uncertainty import entropy_bits

        bits = entropy_bits(result.segmentation.probabilities, in_place=True)
        write_scan(Volume(bits, result.segmentation.mask.geometry), path, is_map=True)


_MASKS = (
    OutputType("nifti", "liver.nii.gz", ".nii.gz", _mask_writer("nifti"), suffixes=NIFTI_SUFFIXES),
    OutputType("dicom_seg", "liver_seg.dcm", "_seg.dcm", _mask_writer("dicom_seg"), dicom=True),
    OutputType(
        name="dicom_rtstruct",
        file_name="liver_rtstruct.dcm",
        suffix="_rtstruct.dcm",
        write=_mask_writer("dicom_rtstruct"),
        dicom=True,
    ),
    OutputType("stl", "liver.stl", ".stl", _mask_writer("stl")),
    OutputType("obj", "liver.obj", ".obj", _mask_writer("obj")),
)

_MEASUREMENTS = (
    OutputType("json", "measurements.json", "_measurements.json", _write_json),
    OutputType("csv", "measurements.csv", "_measurements.csv", _write_csv),
    OutputType("dicom_sr", "liver_sr.dcm", "_sr.dcm", _write_dicom_sr, dicom=True),
    OutputType("dicom_sc", "liver_sc.dcm", "_sc.dcm", _write_dicom_sc, dicom=True),
    OutputType("dicom_pdf", "liver_pdf.dcm", "_pdf.dcm", _write_dicom_pdf, dicom=True),
)

_EXTRAS = (
    OutputType("preview", "preview.png", "_preview.png", _write_preview, "--preview"),
    OutputType(
        name="probabilities",
        file_name="probabilities.nii.gz",
        suffix="_probabilities.nii.gz",
        write=_write_probabilities,
        option="--save-probabilities",
        probabilities=True,
    ),
    OutputType(
        name="uncertainty",
        file_name="uncertainty.nii.gz",
        suffix="_uncertainty.nii.gz",
        write=_write_uncertainty,
        option="--save-uncertainty",
        probabilities=True,
    ),
    OutputType(
        "statistics", "statistics.json", "_statistics.json", write_statistics, "--statistics"
    ),
    OutputType("report_html", "report.html", "_report.html", write_html_report, "--report"),
    OutputType("report_pdf", "report.pdf", "_report.pdf", write_pdf_report, "--report"),
)

# Files are written in this order: a DICOM SR refers to the DICOM SEG, the uncertainty overwrites the probabilities.
OUTPUT_TYPES = {each.name: each for each in (*_MASKS, *_MEASUREMENTS, *_EXTRAS)}

SELECTABLE = tuple(name for name, each in OUTPUT_TYPES.items() if each.option == "--output-type")


def parse_output_types(text: str | None) -> tuple[str, ...]:
    """The output types in a comma-separated list: the first one stays first, the others in the order of writing.

    Raises:
        ConfigError: An output type does not exist.
    """
    named = [part.strip().lower() for part in (text or "").split(",") if part.strip()]
    unknown = next((part for part in named if part not in SELECTABLE), None)
    if unknown is not None:
        raise ConfigError(
            f"unknown output type '{unknown}'; expected {', '.join(SELECTABLE)}. "
            "Choose one or more of these, separated by commas."
        )
    return tuple(dict.fromkeys([*named[:1], *(name for name in SELECTABLE if name in named)]))


def types_of_options(options: Mapping[str, bool]) -> tuple[str, ...]:
    """The output types that options such as `--preview` select.

    Args:
        options: Options, and whether they are set.
    """
    return tuple(name for name, each in OUTPUT_TYPES.items() if options.get(each.option))
