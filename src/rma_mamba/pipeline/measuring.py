"""Measure a mask made by any tool."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from rma_mamba.conventions import software
from rma_mamba.errors import ConfigError
from rma_mamba.files import check_writable, write_together
from rma_mamba.pipeline.overwriting import refuse_replacing
from rma_mamba.reporting import PatientSize, Quantities, quantify, write_csv, write_json
from rma_mamba.reporting.quality_checks import evidence_flags
from rma_mamba.scans import read_scan
from rma_mamba.slicing import CalibratedVolume, IntensityScale, SliceRecipe, calibrated
from rma_mamba.volume import Mask, Modality


def measure_mask(
    mask: str | Path,
    scan: str | Path | None = None,
    *,
    labels: Sequence[int] = (),
    modality: Modality | None = None,
    patient_size: PatientSize | None = None,
    series: str | None = None,
) -> Quantities:
    """Measure a liver mask; warnings about mask and scan come first in `Quantities.warnings`.

    Without a scan, the first and last frame of a DICOM Segmentation are not known to be at the edge of the scan: an
    area that is cut off there is None, and no warning. With a scan, the mask is also compared with it: an abrupt end, a
    border without an edge, foreign tissue and an unusual shape are warnings.

    Args:
        mask: Path of a mask made by any tool: NIfTI, NRRD, MetaImage, DICOM Segmentation or RT Structure Set.
        scan: Path of the scan on the same grid, for intensities and for the comparison; an RT Structure Set needs it.
        labels: Label values of the liver, or numbers of segments or regions; empty: all values above 0, in a DICOM
            object the liver by code or name.
        modality: Modality of the scan; None: from the header, else detected.
        patient_size: For standard liver volumes.
        series: DICOM series of the scan; None: the most suitable one.

    Raises:
        ScanError: A file cannot be read.
        GridError: Mask and scan are not on the same grid.
    """
    volume = None if scan is None else calibrated(read_scan(scan, series=series), modality)
    bits, mask_warnings = _read_mask(Path(mask), labels, volume)
    quantities = quantify(bits, volume, patient_size)
    scan_warnings = () if volume is None else (*volume.warnings, *_compare(bits, volume))
    found = dict.fromkeys((*mask_warnings, *scan_warnings, *quantities.warnings))
    return replace(quantities, warnings=tuple(found))


def check_tables(
    json_file: Path | None, csv_file: Path | None, inputs: Sequence[Path] = ()
) -> None:
    """Check that tables can be written, that their paths have the right suffixes, and that they are not an input.

    Raises:
        ConfigError: A table cannot be written, its path has another suffix, or it would replace an input.
    """
    refuse_replacing([path for path in (json_file, csv_file) if path is not None], inputs)
    for path, suffix in ((json_file, ".json"), (csv_file, ".csv")):
        if path is None:
            continue
        if path.suffix.lower() != suffix:
            raise ConfigError(
                f"the path of the table has the wrong suffix; expected a path ending in {suffix}. "
                "Choose another name."
            )
        check_writable(path)


def write_tables(quantities: Quantities, json_file: Path | None, csv_file: Path | None) -> None:
    """Write the measurements as JSON, CSV or both; after an error, neither is written.

    Raises:
        ScanError: A file cannot be written.
    """
    with write_together("tables") as staged:
        if json_file is not None:
            write_json(quantities, staged(json_file), software=software())
        if csv_file is not None:
            write_csv(quantities, staged(csv_file))


def _compare(mask: Mask, volume: CalibratedVolume) -> tuple[str, ...]:
    """What the scan says against the mask, one sentence each."""
    from rma_mamba.reporting.mask_examination import examine_mask  # imports SciPy

    scale = IntensityScale.of_volume(volume, SliceRecipe()).range
    return tuple(flag.message for flag in evidence_flags(examine_mask(volume, mask, scale)))


def _read_mask(
    path: Path, labels: Sequence[int], volume: CalibratedVolume | None
) -> tuple[Mask, tuple[str, ...]]:
    """A mask in canonical axis order, and warnings about it."""
    from rma_mamba.evaluation.masks import read_liver_mask

    found = read_liver_mask(path, labels, volume)
    missing = ("The mask has labels, but none of the selected label values.",)
    mask = Mask(found.bits.view(np.uint8), found.geometry, open_axis=found.open_axis)
    return mask, (*found.warnings, *(missing if found.has_other_labels else ()))
