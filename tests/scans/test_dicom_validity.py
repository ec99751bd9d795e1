"""DICOM objects are valid according to an independent validator, where it is installed."""

from pathlib import Path

import numpy as np
import pytest

from clinical_series import ORIENTATIONS, enhanced_mask, series_mask
from rma_mamba.scans import write_mask, write_structured_report
from rma_mamba.volume import Mask
from seg_readers import assert_valid, needs_validator

VALUES = {"volume_ml": 1234.5, "surface_area_mm2": 80000.0, "intensity_mean_hu": 61.0}


@needs_validator
@pytest.mark.parametrize("empty", [False, True], ids=["liver", "empty"])
@pytest.mark.parametrize("source", ["series", "oblique series", "multi-frame"])
def test_every_object_is_valid(tmp_path: Path, source: str, empty: bool) -> None:
    directions = ORIENTATIONS["double oblique" if source == "oblique series" else "axial"]
    many = source == "multi-frame"
    mask = enhanced_mask(tmp_path / "in") if many else series_mask(tmp_path / "in", directions)
    if empty:
        mask = Mask(np.zeros_like(mask.labels), mask.geometry, mask.header, mask.source_images)
    write_mask(mask, tmp_path / "seg.dcm")
    write_mask(mask, tmp_path / "rt.dcm", "dicom_rtstruct")
    write_structured_report(mask, VALUES, tmp_path / "a.dcm", comments=["One.", "Two."])
    write_structured_report(mask, VALUES, tmp_path / "b.dcm", segmentation=tmp_path / "seg.dcm")
    for name in ("seg.dcm", "rt.dcm", "a.dcm", "b.dcm"):
        assert_valid(tmp_path / name)
