"""statistics.json: measurements, quality and warnings of one case. It contains no paths or names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rma_mamba.conventions import software
from rma_mamba.deprecation import with_old_fields
from rma_mamba.pipeline.case_result import CaseResult
from rma_mamba.pipeline.json_files import write_json_file
from rma_mamba.reporting.class_volumes import class_record
from rma_mamba.reporting.quantities import with_old_names

_EXTENTS = ("right_to_left", "anterior_to_posterior", "inferior_to_superior")
_OLD_EXTENTS = {"anterior_to_posterior": "front_to_back", "inferior_to_superior": "foot_to_head"}


def write_statistics(result: CaseResult, path: Path) -> None:
    """Write statistics.json.

    Raises:
        ScanError: The file cannot be written.
    """
    write_json_file(path, statistics(result), "statistics")


def statistics(result: CaseResult) -> dict[str, Any]:
    """The content of statistics.json."""
    segmentation = result.segmentation
    geometry, measurements = segmentation.mask.geometry, segmentation.measurements
    sizes = zip(_EXTENTS, measurements.extent_mm, strict=True)
    extent_mm = {name: round(size, 3) for name, size in sizes}
    return {
        **with_old_names(result.quantities.record),
        "extent_mm": with_old_fields(extent_mm, _OLD_EXTENTS),
        **class_record(result.class_volumes),
        "touches_border": list(measurements.touches_border),
        "grid_voxels": list(geometry.shape),
        "spacing_mm": [round(size, 6) for size in geometry.spacing_mm],
        **result.notes.as_dict(),
        "model": result.run["model"],
        "software": software(),
    }
