"""The public functions of the package: format detection, options and their old names."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from rma_mamba import scans
from rma_mamba.errors import ConfigError
from rma_mamba.scans import count_volumes, read_scan, write_structured_report


@pytest.fixture
def four_d(tmp_path: Path) -> Path:
    values = np.arange(4 * 4 * 3 * 2, dtype=np.int16).reshape(4, 4, 3, 2)
    nib.save(nib.Nifti1Image(values, np.eye(4)), tmp_path / "scan.nii")
    return tmp_path / "scan.nii"


def test_frame_is_the_deprecated_name_of_volume(four_d: Path) -> None:
    with pytest.deprecated_call(match=r"read_scan\(frame=...\).*use volume"):
        old = read_scan(four_d, frame=2)
    assert np.array_equal(old.values, read_scan(four_d, volume=2).values)
    assert not np.array_equal(old.values, read_scan(four_d, volume=1).values)


def test_old_function_names_are_deprecated_aliases() -> None:
    with pytest.deprecated_call(match="count_volumes"):
        assert scans.count_frames is count_volumes  # type: ignore[attr-defined]
    with pytest.deprecated_call(match="write_structured_report"):
        assert scans.write_report is write_structured_report  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="read_everything"):
        _ = scans.read_everything  # type: ignore[attr-defined]


def test_options_of_other_formats_are_rejected(four_d: Path) -> None:
    with pytest.raises(ConfigError, match="the scan is not DICOM"):
        read_scan(four_d, series=1)
    with pytest.raises(ConfigError, match="the scan file defines its own"):
        read_scan(four_d, spacing_mm=(1.0,))
