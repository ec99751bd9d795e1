"""The viewer shows, measures and exports each version with the scan on which it was made."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, replace
from pathlib import Path
from shutil import copytree
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pydicom
import pytest
from fastapi import HTTPException

from clinical_series import clinical_series
from command_line import FakeSegmenter
from dicom_series import save
from rma_mamba.errors import ScanError
from rma_mamba.pipeline import SegmentRequest, segment_case
from rma_mamba.pipeline.discovery import Case
from rma_mamba.pipeline.request import ReadOptions
from rma_mamba.pipeline.review.corrected_mask import read_version
from rma_mamba.pipeline.review.mask_versions import MaskVersions
from rma_mamba.scans import read_scan
from rma_mamba.server.case_index import CaseRecord
from rma_mamba.server.case_reading import read_case_scan
from rma_mamba.server.case_registry import CaseRegistry
from rma_mamba.server.case_routes import scan_file
from rma_mamba.server.progress_events import EventHub
from rma_mamba.server.review_tasks import export, measure, use_tool
from rma_mamba.server.series_search import list_series_of_case
from rma_mamba.server.worker_tasks import show_scan

UIDS = tuple(f"1.2.826.0.1.3680043.8.498.5{number}" for number in range(2))


def quiet(*_: object) -> None:
    """Nobody looks at the progress."""


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> CaseRecord:
    """A study of two series of equal grids, segmented on the first and then on the second one."""
    root = tmp_path_factory.mktemp("again")
    scan = root / "scans" / "study"
    scan.mkdir(parents=True)
    for number, uid in enumerate(UIDS):
        found = clinical_series(slices=8)
        for k, each in enumerate(found):
            each.SeriesInstanceUID, each.SOPInstanceUID = uid, f"{uid}.{k}"
            each.SeriesNumber = number
            pixels = np.frombuffer(each.PixelData, np.uint16).reshape(each.Rows, each.Columns)
            pixels = pixels + np.uint16(number)
            pixels[8:22, 6 : 18 - number] += 900
            each.PixelData = pixels.tobytes()
        save(scan / str(number), found)
        reading = ReadOptions(series=str(number + 1))
        request = SegmentRequest(reading=reading, outputs=("nifti", "statistics"))
        segment_case(Case(scan, "study"), root / "out", request, segmenter=FakeSegmenter())
        MaskVersions(root / "out" / "study").adopt_result()
    return CaseRecord("id", 1, "study", str(root / "out" / "study"), str(scan))


def version(case: CaseRecord, number: int) -> Any:
    return MaskVersions(Path(case.folder)).find(number)


@pytest.mark.parametrize("number", [1, 2])
def test_the_scan_of_a_version_is_shown_and_exported(
    case: CaseRecord, tmp_path: Path, number: int
) -> None:
    expected = read_scan(cast("str", case.scan), series=UIDS[number - 1]).values
    show_scan(quiet, case=asdict(case), shown=str(tmp_path), version=number)
    assert np.array_equal(read_scan(tmp_path / "scan.nii.gz").values, expected)
    name = export(quiet, case=asdict(case), version=number, kind="dicom-seg", folder=str(tmp_path))
    data = pydicom.dcmread(tmp_path / name)
    assert data.ReferencedSeriesSequence[0].SeriesInstanceUID == UIDS[number - 1]


def test_each_scan_that_is_shown_has_a_folder_of_its_own(case: CaseRecord, tmp_path: Path) -> None:
    registry = CaseRegistry(tmp_path, EventHub())
    first, second = (registry.shown(case, version(case, number)) for number in (1, 2))
    last = registry.shown(case)
    assert len({first, second, last}) == 3
    show_scan(quiet, case=asdict(case), shown=str(last), version=2)
    assert registry.shown(case, version(case, 2)) == last
    assert registry.shown(case, version(case, 1)) == first
    registry.remove(case)
    assert list((tmp_path / "shown").iterdir()) == []
    registry.close()


def test_a_scan_that_is_gone_is_an_error_of_the_version_that_needs_it(
    case: CaseRecord, tmp_path: Path
) -> None:
    moved = SimpleNamespace(**asdict(case))
    moved.scan = str(save(tmp_path / "study", clinical_series(slices=8)))
    with pytest.raises(ScanError, match="the scan of case study is not the one on which version 1"):
        read_case_scan(vars(moved), version(case, 1))


def test_the_address_of_a_scan_names_its_version(case: CaseRecord, tmp_path: Path) -> None:
    asked: list[Any] = []

    class Desk:
        async def describe_scan(self, _: CaseRecord, found: Any) -> dict[str, Any]:
            asked.append(found)
            return {}

        def shown(self, _: CaseRecord, found: Any) -> Path:
            return tmp_path / str(found.version if found else "newest")

    answers = [asyncio.run(scan_file(cast("Any", Desk()), case, each)) for each in ("1", "2", "")]
    assert [Path(each.path).parent.name for each in answers] == ["1", "2", "newest"]
    assert asked == [version(case, 1), version(case, 2), None]
    with pytest.raises(HTTPException):
        asyncio.run(scan_file(cast("Any", Desk()), case, "9"))


@pytest.mark.parametrize("number", [1, 2])
def test_an_unsaved_mask_is_measured_on_the_scan_of_its_version(
    case: CaseRecord, tmp_path: Path, number: int
) -> None:
    show_scan(quiet, case=asdict(case), shown=str(tmp_path), version=number)
    scan = read_scan(tmp_path / "scan.nii.gz")
    path = MaskVersions(Path(case.folder)).mask_file(number)
    folders = {"folder": case.folder, "shown": str(tmp_path), "sent": str(path)}
    found = measure(quiet, **folders, version=number)["measurements"]
    labels = read_scan(path).values > 0
    assert found["intensity_mean_au"] == pytest.approx(scan.values[labels].mean(), abs=0.01)
    options = {"voxel": "12,14,4", "inside": "1"}
    out = str(tmp_path / "grown.nii.gz")
    use_tool(quiet, **folders, tool="grow", options=options, out=out, version=number)
    assert read_scan(out).values.any()


def test_the_list_of_series_marks_that_of_the_newest_version(
    case: CaseRecord, tmp_path: Path
) -> None:
    copied = replace(case, folder=str(copytree(case.folder, tmp_path / "study")))
    marked = [row["is_first"] for row in list_series_of_case(quiet, case=asdict(copied))]
    assert marked == [False, True]
    versions = MaskVersions(tmp_path / "study")
    mask = read_version(tmp_path / "study", versions.mask_file(1), versions.find(1))
    versions.add(mask, parent=1, kind="semiautomatic")
    marked = [row["is_first"] for row in list_series_of_case(quiet, case=asdict(copied))]
    assert marked == [True, False]


def test_a_page_does_not_get_the_series_of_a_version(case: CaseRecord) -> None:
    from rma_mamba.pipeline.review.mask_versions import version_record

    records = [version_record(version(case, number)) for number in (1, 2)]
    assert records[0]["scan"] != records[1]["scan"]
    assert "series" not in json.dumps(records)
