"""The DICOM series of a case's study, and cases for the other ones."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rma_mamba.errors import ConfigError
from rma_mamba.pipeline.json_files import read_json, write_json_file
from rma_mamba.pipeline.review.folder_names import UPLOAD_RECORD
from rma_mamba.pipeline.review.result_scans import name_of_scan, name_of_series
from rma_mamba.server.case_index import CaseRecord
from rma_mamba.server.desk import Desk


async def list_of_case(desk: Desk, case: CaseRecord) -> list[dict[str, Any]]:
    """The series in the scan of a case; none for other formats. `case` is that of a series that was opened."""
    if case.scan is None:
        return []
    whole = _case_of_scan(desk, case)
    rows: list[dict[str, Any]] = await desk.workers.run("list_series", case=asdict(whole))
    desk.series_counts[case.scan] = len(rows)
    opened = {each.series: each.id for each in reversed(_siblings(desk, case)) if each.series}
    for row in rows:
        first = whole.id if row["is_first"] else None
        row["case"] = opened.get(row["uid"], first)
        row["is_shown"] = row["uid"] == case.series or (case is whole and row["is_first"])
    return rows


async def open_series(desk: Desk, case: CaseRecord, number: int) -> list[CaseRecord]:
    """The case of another series of a study, which is segmented; several if it has several volumes.

    A mask among the series becomes the newest version of the case itself.

    Raises:
        ConfigError: There is no such series, or it is neither a scan nor a mask.
        ScanError, GridError: The mask cannot be read, or does not fit.
    """
    rows = await list_of_case(desk, case)
    row = next((each for each in rows if each["number"] == number), None)
    if row is not None and row["is_mask"]:
        await desk.import_version(case, series=row["uid"])
        return [case]
    if row is None or not row["can_open"]:
        raise ConfigError(
            "there is no such scan in the study; expected a series of CT or MR slices. Choose another series."
        )
    if row["case"] is not None:
        return [desk.registry.cases[row["case"]]]
    results = Path(case.folder.removesuffix(case.name))
    found: list[dict[str, Any]] = await desk.workers.run(
        "list_volumes",
        path=case.scan,
        name=name_of_series(name_of_scan(case.name), number),
        series=row["uid"],
    )
    if case.upload:
        await asyncio.to_thread(_add_to_record, results.parent / UPLOAD_RECORD, found)
    return [await desk.add_case(each, each["name"], results, upload=case.upload) for each in found]


def _siblings(desk: Desk, case: CaseRecord) -> list[CaseRecord]:
    """All cases of the same scan."""
    return [each for each in desk.registry.cases.values() if each.scan == case.scan]


def _case_of_scan(desk: Desk, case: CaseRecord) -> CaseRecord:
    """The case that was opened with the scan, without a choice of a series."""
    name = name_of_scan(case.name)
    siblings = _siblings(desk, case)
    return next((each for each in siblings if each.name == name), siblings[0])


def _add_to_record(path: Path, found: list[dict[str, Any]]) -> None:
    """So that the cases of an upload are found again after a restart."""
    record = read_json(path)
    write_json_file(
        path, {**record, "cases": [*record.get("cases", []), *found]}, "record of the upload"
    )
