"""All that is measured of a mask, under names that carry their units: one line of a table."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rma_mamba.files import replace_file
from rma_mamba.reporting import expected_volume, nodularity
from rma_mamba.reporting.borders import cut_areas_mm2, volume_uncertainty_ml
from rma_mamba.reporting.expected_volume import Body
from rma_mamba.reporting.liver_intensity import mean_and_sd
from rma_mamba.reporting.measure import measure
from rma_mamba.surface import surface_of
from rma_mamba.volume import Mask, Volume

_DIGITS = 4


@dataclass(frozen=True)
class Quantities:
    """What `quantify` found; None where a value is not defined or was not asked for.

    docs/reference/measurements.md has formulas, sources and caveats.
    """

    volume_ml: float
    volume_uncertainty_ml: float
    extent_right_to_left_mm: float
    extent_front_to_back_mm: float
    extent_foot_to_head_mm: float
    surface_area_mm2: float
    cut_inferior_mm2: float
    cut_superior_mm2: float
    cut_anterior_mm2: float
    cut_posterior_mm2: float
    cut_right_mm2: float
    cut_left_mm2: float
    intensity_mean_hu: float | None
    intensity_sd_hu: float | None
    intensity_mean_au: float | None
    intensity_sd_au: float | None
    nodularity_ratio: float | None
    nodularity_fine_mm: float
    nodularity_coarse_mm: float
    voxel_right_to_left_mm: float
    voxel_front_to_back_mm: float
    voxel_foot_to_head_mm: float
    standard_volume_vauthey_ml: float | None
    standard_volume_urata_ml: float | None
    volume_to_vauthey_ratio: float | None
    volume_to_urata_ratio: float | None
    warnings: tuple[str, ...]

    @property
    def record(self) -> dict[str, float | None]:
        """The values, rounded to what a reader can use (4 decimals), without the warnings."""
        values = asdict(self)
        del values["warnings"]
        return {
            name: None if value is None else round(value, _DIGITS) for name, value in values.items()
        }


def quantify(mask: Mask, scan: Volume | None = None, body: Body | None = None) -> Quantities:
    """Measure labels > 0 on any grid; an empty mask measures zero.

    Args:
        mask: The liver.
        scan: The scan on the same grid, for intensities; it is calibrated here unless it already is.
        body: The patient's size, for the volume that is expected of a healthy liver.

    Raises:
        GridError: Mask and scan are not on one grid.
    """
    found = measure(mask)
    surface = surface_of(mask)
    mean, sd, hu = _intensities(mask, scan)
    cuts = {f"cut_{face}_mm2": area for face, area in cut_areas_mm2(mask).items()}
    right_to_left, front_to_back, foot_to_head = found.extent_mm
    up, back, left = mask.geometry.in_canonical_order.spacing_mm
    vauthey = expected_volume.vauthey_ml(body) if body else None
    urata = expected_volume.urata_ml(body) if body else None
    return Quantities(
        volume_ml=found.volume_ml,
        volume_uncertainty_ml=volume_uncertainty_ml(mask),
        extent_right_to_left_mm=right_to_left,
        extent_front_to_back_mm=front_to_back,
        extent_foot_to_head_mm=foot_to_head,
        surface_area_mm2=surface.area_mm2,
        **cuts,
        intensity_mean_hu=mean if hu else None,
        intensity_sd_hu=sd if hu else None,
        intensity_mean_au=None if hu else mean,
        intensity_sd_au=None if hu else sd,
        nodularity_ratio=nodularity.nodularity_ratio(mask, surface),
        nodularity_fine_mm=nodularity.fine_smoothing_mm(mask),
        nodularity_coarse_mm=nodularity.COARSE_MM,
        voxel_right_to_left_mm=left,
        voxel_front_to_back_mm=back,
        voxel_foot_to_head_mm=up,
        standard_volume_vauthey_ml=vauthey,
        standard_volume_urata_ml=urata,
        volume_to_vauthey_ratio=found.volume_ml / vauthey if vauthey else None,
        volume_to_urata_ratio=found.volume_ml / urata if urata else None,
        warnings=(*found.warnings, *((expected_volume.CAVEAT,) if body else ())),
    )


def _intensities(mask: Mask, scan: Volume | None) -> tuple[float | None, float | None, bool]:
    """Mean and standard deviation within the mask, and whether they are in HU."""
    if scan is None:
        return None, None, False
    from rma_mamba.slicing.calibration import calibrated  # slow to import

    scan = calibrated(scan)
    return *mean_and_sd(mask, scan), scan.intensity_unit == "HU"


def write_json(found: Quantities, path: Path, **more: Any) -> None:
    """Write values, warnings, and `more`, as one JSON object; undefined values are null.

    Raises:
        ScanError: The file cannot be written.
    """
    content = {**found.record, "warnings": list(found.warnings), **more}
    replace_file(path, (json.dumps(content, indent=2) + "\n").encode(), "table of measurements")


def write_csv(found: Quantities, path: Path) -> None:
    """Write the values as a line of names and a line of numbers; undefined values are empty cells.

    Raises:
        ScanError: The file cannot be written.
    """
    text = io.StringIO()
    table = csv.DictWriter(text, found.record, lineterminator="\n")
    table.writeheader()
    table.writerow(found.record)
    replace_file(path, text.getvalue().encode(), "table of measurements")
