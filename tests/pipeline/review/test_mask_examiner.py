"""Measurements, flags and places of versions, and their exports."""

import json
from pathlib import Path

import numpy as np
import pytest

from rma_mamba.pipeline import measure_mask
from rma_mamba.pipeline.review.corrected_mask import read_version
from rma_mamba.pipeline.review.mask_examiner import as_described, examine_version
from rma_mamba.pipeline.review.mask_versions import MaskVersions
from rma_mamba.scans import read_scan
from rma_mamba.volume import Mask, Volume


@pytest.fixture
def case(cohort) -> Path:
    return cohort()


@pytest.fixture
def scan(case: Path, tmp_path: Path) -> Volume:
    return read_scan(tmp_path / "scans" / "case.nii.gz")


def save(case: Path, labels: np.ndarray) -> int:
    mask = read_version(case, case / "liver.nii.gz")
    saved = MaskVersions(case).add(
        Mask(labels.astype(np.uint8), mask.geometry, mask.header), parent=1, kind="semiautomatic"
    )
    return saved.version


def examine(case: Path, number: int, scan: Volume) -> dict:
    return examine_version(case, MaskVersions(case).find(number), scan)


def test_the_quality_of_the_network_is_that_of_its_run(case: Path, scan: Volume) -> None:
    run = json.loads((case / "run.json").read_text())
    found = examine(case, 1, scan)
    assert found["quality"] == run["quality"]
    statistics = json.loads((case / "statistics.json").read_text())
    assert found["measurements"]["volume_ml"] == statistics["volume_ml"]
    assert "extent_front_to_back_mm" not in found["measurements"]  # a deprecated name


def test_a_correction_is_measured_like_any_mask(case: Path, scan: Volume, tmp_path: Path) -> None:
    labels = read_version(case, case / "liver.nii.gz").labels.copy()
    labels[6:9] = 0
    number = save(case, labels)
    found = examine(case, number, scan)
    expected = measure_mask(
        case / "review" / "v002" / "liver.nii.gz", tmp_path / "scans" / "case.nii.gz"
    )
    assert _known(found["measurements"]) == pytest.approx(_known(expected.record), rel=1e-4)
    assert found["quality"]["estimated_dice"] is None
    assert (case / "review" / "v002" / "thumbnail.png").read_bytes().startswith(b"\x89PNG")
    assert examine(case, number, scan) == found


@pytest.mark.parametrize(("missing", "expected"), [([3, 5, 11], 5), ([0, 11], 11)])
def test_a_gap_in_the_series_is_flagged_where_the_mask_is(
    case: Path, scan: Volume, missing: list[int], expected: int
) -> None:
    labels = np.zeros(scan.geometry.shape, np.uint8)
    labels[4:12, 4:12, 3:10] = 1
    labels[5:8, 5:8, 3] = 0
    gaps = as_described(scan, {"header_modality": "MR", "missing_slices": missing})
    found = examine(case, save(case, labels), gaps)
    words = {flag["code"]: flag["message"] for flag in found["quality"]["flags"]}
    assert "the mask is not reliable there" in words["missing_slices"]
    assert found["places"]["missing_slices"]["voxel"][2] == expected


def _known(record: dict) -> dict:
    return {name: value for name, value in record.items() if value is not None}


def test_flags_follow_a_correction_and_point_to_their_place(case: Path, scan: Volume) -> None:
    labels = read_version(case, case / "liver.nii.gz").labels.copy()
    labels[0:6, 8, 5] = 1  # up to the edge
    labels[20:23, 16:19, 9:11] = 1  # a second component
    found = examine(case, save(case, labels), scan)
    codes = {flag["code"] for flag in found["quality"]["flags"]}
    assert {"touches_border", "multiple_components"} <= codes
    assert found["places"]["touches_border"] == {"voxel": [0, 8, 5], "mm": [0, 16, 25]}
    i, j, k = found["places"]["multiple_components"]["voxel"]
    assert (i, j) == (21, 17)
    assert k in (9, 10)
    empty = examine(case, save(case, 0 * labels), scan)
    assert [flag["code"] for flag in empty["quality"]["flags"]] == ["no_liver"]
    assert empty["places"] == {}


def test_flags_about_the_scan_remain_after_a_correction(case: Path, scan: Volume) -> None:
    run = json.loads((case / "run.json").read_text())
    flipped = {"code": "flipped_axes", "message": "Flipped.", "severity": "red"}
    shape = {"code": "shape_unusual", "message": "Unusual.", "severity": "yellow"}
    run["quality"]["flags"] = [flipped, shape]
    (case / "run.json").write_text(json.dumps(run))
    labels = read_version(case, case / "liver.nii.gz").labels
    flags = examine(case, save(case, labels), scan)["quality"]["flags"]
    assert flags[0]["code"] == "flipped_axes"
    assert "Unusual." not in {flag["message"] for flag in flags}
