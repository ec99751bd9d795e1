"""Routes of cases: the work list, a case, its files, its job."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import FileResponse, Response, StreamingResponse
from pydantic import BaseModel, Field

from rma_mamba.errors import ConfigError
from rma_mamba.pipeline.review.case_status import THUMBNAIL_FILE, UNCERTAINTY_FILE
from rma_mamba.pipeline.review.displayed_scan import SCAN_FILE
from rma_mamba.pipeline.review.mask_versions import MaskVersion, MaskVersions
from rma_mamba.server import case_series
from rma_mamba.server.case_index import CaseRecord
from rma_mamba.server.desk import Desk

router = APIRouter(prefix="/api")

NO_CASE = "there is no such case; expected one of the work list. Load the list again."
NO_VERSION = (
    "there is no such version of the mask; expected a number. List the versions of the case."
)
NO_SCAN = (
    "the scan of the case was not found; expected it in the folder of the scans. "
    "Start the server with --scans FOLDER."
)
NO_FILE = "the case has no such file; expected one that was written. Segment it again."


class SeriesBody(BaseModel):
    """A series by its number in the list."""

    series: int = Field(ge=1, le=100_000)


def get_desk(request: Request) -> Desk:
    """The state of the server."""
    desk: Desk = request.app.state.desk
    return desk


def get_case(request: Request, case: str) -> CaseRecord:
    """The case in the address."""
    found = get_desk(request).registry.cases.get(case)
    if found is None:
        raise HTTPException(404, NO_CASE)
    return found


DeskOfServer = Annotated[Desk, Depends(get_desk)]
CaseOfPath = Annotated[CaseRecord, Depends(get_case)]


@router.get("/cases")
async def list_cases(
    desk: DeskOfServer, sort: str = "worst", state: str = "", light: str = "", text: str = ""
) -> list[dict[str, Any]]:
    """The work list."""
    rows = [
        row
        for row in desk.registry.rows()
        if (not state or row["review"]["state"] == state)
        and (not light or row["light"] == light)
        and text.lower() in row["name"].lower()
    ]
    if sort != "worst":
        rows.sort(key=lambda row: (row.get(sort) is None, row.get(sort) or 0))
    return rows


@router.get("/events")
async def all_events(desk: DeskOfServer) -> StreamingResponse:
    """Rows of the work list, whenever one changes."""
    return _stream(desk.hub.listen("cases", None, ends=False))


@router.get("/cases/{case}")
async def show_case(desk: DeskOfServer, case: CaseOfPath) -> dict[str, Any]:
    """A case with its measurements, flags and versions."""
    return await desk.details(case)


@router.get("/cases/{case}/events")
async def case_events(desk: DeskOfServer, case: CaseOfPath) -> StreamingResponse:
    """Progress of a case."""
    present = desk.jobs.progress_of(case)
    return _stream(desk.hub.listen(case.id, ("progress", present.as_json()), ends=True))


@router.post("/cases/{case}/cancel")
async def cancel(desk: DeskOfServer, case: CaseOfPath) -> dict[str, Any]:
    """Cancel the job of a case."""
    await desk.jobs.cancel(case)
    return desk.registry.row(case)


@router.post("/cases/{case}/restart")
async def restart(desk: DeskOfServer, case: CaseOfPath) -> dict[str, Any]:
    """Queue a case again."""
    desk.jobs.restart(case)
    return desk.registry.row(case)


@router.get("/cases/{case}/series")
async def list_series(desk: DeskOfServer, case: CaseOfPath) -> list[dict[str, Any]]:
    """The DICOM series of the study; empty for other formats."""
    rows = await case_series.list_of_case(desk, case)
    return [{key: value for key, value in row.items() if key != "uid"} for row in rows]


@router.post("/cases/{case}/series")
async def open_series(desk: DeskOfServer, case: CaseOfPath, body: SeriesBody) -> dict[str, Any]:
    """Open another series of the study as a case of its own."""
    cases = await case_series.open_series(desk, case, body.series)
    return {"cases": [each.id for each in cases]}


@router.get("/cases/{case}/scan.nii.gz")
async def scan_file(desk: DeskOfServer, case: CaseOfPath, version: str = "") -> FileResponse:
    """The scan on its own grid: that on which a version was made, by default the newest one."""
    found = find_version(case, version) if version else None
    if await desk.describe_scan(case, found) is None:
        raise HTTPException(404, NO_SCAN)
    return FileResponse(desk.shown(case, found) / SCAN_FILE, media_type="application/gzip")


@router.get("/cases/{case}/versions/{version}/mask.nii.gz")
async def mask_file(case: CaseOfPath, version: str) -> FileResponse:
    """The mask of a version."""
    found = find_version(case, version)
    path = MaskVersions(Path(case.folder)).mask_file(found.version)
    return FileResponse(path, media_type="application/gzip")


@router.get("/cases/{case}/uncertainty.nii.gz")
async def uncertainty_file(case: CaseOfPath) -> FileResponse:
    """The voxel-wise entropy of the network's mask."""
    return existing(Path(case.folder) / UNCERTAINTY_FILE, "application/gzip")


@router.get("/cases/{case}/thumbnail.png")
async def thumbnail(case: CaseOfPath) -> Response:
    """A small image of the scan with the mask."""
    newest = find_version(case, "newest")
    path = MaskVersions(Path(case.folder)).path(newest.version) / THUMBNAIL_FILE
    return existing(path, "image/png")


def existing(path: Path, media_type: str) -> FileResponse:
    """A file that may be missing."""
    if not path.is_file():
        raise HTTPException(404, NO_FILE)
    return FileResponse(path, media_type=media_type)


def find_version(case: CaseRecord, name: str) -> MaskVersion:
    """The version of a name such as "3", "v003" or "newest"."""
    versions = MaskVersions(Path(case.folder))
    number = name.removeprefix("v").lstrip("0")
    if name == "newest" and (newest := versions.newest) is not None:
        return newest
    if number.isdecimal() and len(number) < 9:
        try:
            return versions.find(int(number))
        except ConfigError:
            pass
    raise HTTPException(404, NO_VERSION)


def _stream(events: Any) -> StreamingResponse:
    return StreamingResponse(
        events, media_type="text/event-stream", headers={"x-accel-buffering": "no"}
    )
