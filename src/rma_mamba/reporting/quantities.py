"""All measurements of a mask as one record; the name of each includes its unit."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rma_mamba.deprecation import warn_renamed, with_old_fields, with_renamed_arguments
from rma_mamba.files import replace_file
from rma_mamba.reporting import expected_volume, nodularity
from rma_mamba.reporting.expected_volume import PatientSize
from rma_mamba.reporting.liver_intensity import mean_and_sd
from rma_mamba.reporting.mask_border import cut_areas_mm2, volume_uncertainty_ml
from rma_mamba.reporting.measure import measure, unknown_faces, with_margin
from rma_mamba.surface import surface_of
from rma_mamba.volume import Mask, Volume

_DIGITS = 4

_OLD_NAMES = {
    "extent_anterior_to_posterior_mm": "extent_front_to_back_mm",
    "extent_inferior_to_superior_mm": "extent_foot_to_head_mm",
    "voxel_anterior_to_posterior_mm": "voxel_front_to_back_mm",
    "voxel_inferior_to_superior_mm": "voxel_foot_to_head_mm",
}


@dataclass(frozen=True)
class Quantities:
    """Result of `quantify`; None where a value is undefined or was not requested.

    docs/reference/measurements.md has formulas, sources and caveats.
    """

    volume_ml: float
    volume_uncertainty_ml: float
    extent_right_to_left_mm: float
    extent_anterior_to_posterior_mm: float
    extent_inferior_to_superior_mm: float
    surface_area_mm2: float
    cut_inferior_mm2: float | None
    cut_superior_mm2: float | None
    cut_anterior_mm2: float | None
    cut_posterior_mm2: float | None
    cut_right_mm2: float | None
    cut_left_mm2: float | None
    intensity_mean_hu: float | None
    intensity_sd_hu: float | None
    intensity_mean_au: float | None
    intensity_sd_au: float | None
    nodularity_ratio: float | None
    nodularity_fine_mm: float
    nodularity_coarse_mm: float
    voxel_right_to_left_mm: float
    voxel_anterior_to_posterior_mm: float
    voxel_inferior_to_superior_mm: float
    standard_volume_vauthey_ml: float | None
    standard_volume_urata_ml: float | None
    volume_to_vauthey_ratio: float | None
    volume_to_urata_ratio: float | None
    warnings: tuple[str, ...]

    # Hidden from type checkers, which see the new names only.
    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            for new, old in _OLD_NAMES.items():
                if name == old:
                    warn_renamed(f"Quantities.{old}", f"Quantities.{new}")
                    return getattr(self, new)
            raise AttributeError(f"'Quantities' object has no attribute {name!r}")

    @property
    def record(self) -> dict[str, float | None]:
        """The values rounded to four decimals, without the warnings."""
        values = asdict(self)
        del values["warnings"]
        return {
            name: None if value is None else round(value, _DIGITS) for name, value in values.items()
        }


@with_renamed_arguments(body="patient_size")
def quantify(
    mask: Mask, scan: Volume | None = None, patient_size: PatientSize | None = None
) -> Quantities:
    """Compute all measurements of labels > 0 on any grid; an empty mask measures zero.

    Args:
        mask: The liver.
        scan: The scan on the same grid, for intensities; it is calibrated here unless it already is.
        patient_size: Height and weight, for the standard liver volume.

    Raises:
        GridError: Mask and scan are not on the same grid.
    """
    measured = measure(mask)
    mean, sd, hu = _intensities(mask, scan)
    cuts = _cuts_mm2(mask)
    mask = with_margin(mask)
    surface = surface_of(mask)
    right_to_left, anterior_to_posterior, inferior_to_superior = measured.extent_mm
    slice_mm, row_mm, column_mm = mask.geometry.in_canonical_order.spacing_mm
    vauthey = expected_volume.vauthey_ml(patient_size) if patient_size else None
    urata = expected_volume.urata_ml(patient_size) if patient_size else None
    return Quantities(
        volume_ml=measured.volume_ml,
        volume_uncertainty_ml=volume_uncertainty_ml(mask),
        extent_right_to_left_mm=right_to_left,
        extent_anterior_to_posterior_mm=anterior_to_posterior,
        extent_inferior_to_superior_mm=inferior_to_superior,
        surface_area_mm2=surface.area_mm2,
        **cuts,
        intensity_mean_hu=mean if hu else None,
        intensity_sd_hu=sd if hu else None,
        intensity_mean_au=None if hu else mean,
        intensity_sd_au=None if hu else sd,
        nodularity_ratio=nodularity.nodularity_ratio(mask, surface),
        nodularity_fine_mm=nodularity.fine_smoothing_mm(mask),
        nodularity_coarse_mm=nodularity.COARSE_MM,
        voxel_right_to_left_mm=column_mm,
        voxel_anterior_to_posterior_mm=row_mm,
        voxel_inferior_to_superior_mm=slice_mm,
        standard_volume_vauthey_ml=vauthey,
        standard_volume_urata_ml=urata,
        volume_to_vauthey_ratio=measured.volume_ml / vauthey if vauthey else None,
        volume_to_urata_ratio=measured.volume_ml / urata if urata else None,
        warnings=(*measured.warnings, *((expected_volume.CAVEAT,) if patient_size else ())),
    )


def _cuts_mm2(mask: Mask) -> dict[str, float | None]:
    """The area in which each face cuts the mask; None if it reaches a face that may not be one of the scan."""
    unknown = unknown_faces(mask)
    return {
        f"cut_{face}_mm2": None if area and face in unknown else area
        for face, area in cut_areas_mm2(mask).items()
    }


def with_old_names(record: Mapping[str, Any]) -> dict[str, Any]:
    """Repeat renamed fields of a record under their names of version 0.1, until 0.3.0."""
    return with_old_fields(record, _OLD_NAMES)


def _intensities(mask: Mask, scan: Volume | None) -> tuple[float | None, float | None, bool]:
    """Mean and standard deviation within the mask, and whether they are in HU."""
    if scan is None:
        return None, None, False
    from rma_mamba.slicing.calibration import calibrated  # slow to import

    scan = calibrated(scan)
    return *mean_and_sd(mask, scan), scan.intensity_unit == "HU"


def write_json(found: Quantities, path: Path, **more: Any) -> None:
    """Write values, warnings and the fields in `more` as one JSON object; undefined values are null.

    Raises:
        ScanError: The file cannot be written.
    """
    content = {**with_old_names(found.record), "warnings": list(found.warnings), **more}
    replace_file(path, (json.dumps(content, indent=2) + "\n").encode(), "table of measurements")


def write_csv(found: Quantities, path: Path, **more: Any) -> None:
    """Write a CSV file with one row: values, warnings and the columns in `more`; undefined values are empty cells.

    Raises:
        ScanError: The file cannot be written.
    """
    text = io.StringIO()
    record = {**with_old_names(found.record), "warnings": " | ".join(found.warnings), **more}
    table = csv.DictWriter(text, record, lineterminator="\n")
    table.writeheader()
    table.writerow(record)
    replace_file(path, text.getvalue().encode(), "table of measurements")
