"""Routes of a review: save a corrected mask, drafts, the decision, tools, and export."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import unquote

from fastapi import APIRouter, Header, HTTPException, Query, Request
from fastapi.responses import FileResponse, Response
from pydantic import BaseModel, Field
from starlette.background import BackgroundTask

from rma_mamba.pipeline.review.drafts import Drafts, check_window
from rma_mamba.pipeline.review.mask_versions import MaskVersions, version_record
from rma_mamba.pipeline.review.review_decision import ReviewState, write_decision
from rma_mamba.server.case_index import CaseRecord
from rma_mamba.server.case_routes import (
    NO_FILE,
    CaseOfPath,
    DeskOfServer,
    existing,
    find_version,
)
from rma_mamba.server.desk import Desk
from rma_mamba.server.request_bodies import received_file

router = APIRouter(prefix="/api/cases/{case}")

CHANGED = "the case was changed in another window; expected its present state. Load it again, and decide once more."
_GZIP = "application/gzip"
_MEDIA_TYPES = {
    ".gz": _GZIP,
    ".dcm": "application/dicom",
    ".stl": "model/stl",
    ".obj": "model/obj",
    ".html": "text/html",
    ".pdf": "application/pdf",
    ".json": "application/json",
    ".csv": "text/csv",
}

ShortText = Annotated[str, Query(max_length=64)]
Note = Annotated[str, Query(max_length=4000)]
Name = Annotated[str | None, Header(alias="x-rma-author", max_length=400)]
Remark = Annotated[str | None, Header(alias="x-rma-note", max_length=12000)]


class ReviewBody(BaseModel):
    """The decision of a reviewer."""

    state: ReviewState
    note: str = Field("", max_length=4000)
    reviewer: str | None = Field(None, max_length=64)
    version: int | str | None = None


@router.post("/versions", status_code=201)
async def save_version(
    request: Request,
    desk: DeskOfServer,
    case: CaseOfPath,
    parent: ShortText = "newest",
    kind: Literal["manual", "semiautomatic"] = "semiautomatic",
    author: ShortText = "",
    note: Note = "",
    tool: ShortText = "viewer",
    window: ShortText = "",
    x_author: Name = None,
    x_note: Remark = None,
) -> dict[str, Any]:
    """Save a corrected mask as a new version; nothing is overwritten."""
    base = find_version(case, parent)
    fields = {
        "parent": base.version,
        "kind": kind,
        "author": (unquote(x_author) if x_author else author).strip() or None,
        "note": unquote(x_note) if x_note else note,
        "tool": tool,
    }
    async with received_file(request, desk.incoming, desk.options.limits.mask_bytes) as path:
        saved = await desk.save_version(case, path, fields)
    if window:
        await asyncio.to_thread(Drafts(Path(case.folder)).remove, window, base.version)
    return saved


@router.post("/masks", status_code=201)
async def import_version(request: Request, desk: DeskOfServer, case: CaseOfPath) -> dict[str, Any]:
    """Save a mask from a file of any format as the newest version; nothing is overwritten."""
    async with received_file(request, desk.incoming, desk.options.limits.mask_bytes) as path:
        return await desk.import_version(case, sent=str(path))


@router.put("/draft")
async def save_draft(
    request: Request,
    desk: DeskOfServer,
    case: CaseOfPath,
    window: ShortText,
    parent: ShortText = "",
    kind: Literal["", "manual", "semiautomatic"] = "",
) -> dict[str, Any]:
    """Keep an unsaved mask of a window, as it was sent; one for each version from which the window began."""
    check_window(window)  # before anything is received
    base = _parent_of_draft(case, parent)
    drafts = Drafts(Path(case.folder))
    async with received_file(request, desk.incoming, desk.options.limits.mask_bytes) as path:
        return asdict(await asyncio.to_thread(drafts.save, window, path, base, kind or None))


@router.get("/draft")
async def read_draft(case: CaseOfPath, window: ShortText, parent: ShortText = "") -> FileResponse:
    """The unsaved mask of a window that began from a version; without one, the newest of the window."""
    base = find_version(case, parent).version if parent else None
    found = await asyncio.to_thread(Drafts(Path(case.folder)).find, window, base)
    if found is None:
        raise HTTPException(404, NO_FILE)
    return existing(found, _GZIP)


@router.delete("/draft")
async def remove_draft(
    case: CaseOfPath, window: ShortText, parent: ShortText = ""
) -> dict[str, Any]:
    """Remove the unsaved mask of a window that began from a version; without one, all of the window."""
    base = find_version(case, parent).version if parent else None
    await asyncio.to_thread(Drafts(Path(case.folder)).remove, window, base)
    return {}


def _parent_of_draft(case: CaseRecord, parent: str) -> int | None:
    """The version from which a draft began: the newest if none is named; None if there is none yet."""
    if parent or MaskVersions(Path(case.folder)).newest is not None:
        return find_version(case, parent or "newest").version
    return None


@router.get("/review")
async def read_review(desk: DeskOfServer, case: CaseOfPath) -> dict[str, Any]:
    """The decision on a case."""
    status = desk.registry.status(case)
    return {**asdict(status.decision), "etag": status.etag}


@router.put("/review")
async def decide(
    desk: DeskOfServer,
    case: CaseOfPath,
    body: ReviewBody,
    if_match: Annotated[str | None, Header()] = None,
) -> dict[str, Any]:
    """Record a decision, unless another window has changed the case."""
    version = None if body.version is None else find_version(case, str(body.version)).version
    status = desk.registry.status(case, fresh=True)
    expected = (if_match or "").removeprefix("W/").strip('"')
    if if_match not in (None, "*") and expected != status.etag:
        raise HTTPException(412, CHANGED)
    reviewer = (body.reviewer or "").strip() or None
    # not in a thread: nothing comes between the check above and the change
    write_decision(
        Path(case.folder), body.state, note=body.note, reviewer=reviewer, version=version
    )
    desk.registry.refresh(case)
    return desk.registry.row(case)


@router.get("/versions/{version}")
async def show_version(desk: DeskOfServer, case: CaseOfPath, version: str) -> dict[str, Any]:
    """A version with its measurements and flags, and how the scan is shown on which it was made."""
    found = find_version(case, version)
    findings = await desk.findings(case, found)
    shown = await desk.describe_scan(case, found)
    return {**version_record(found), **findings, "shown": shown}


@router.post("/tools/measure")
async def measure(
    request: Request, desk: DeskOfServer, case: CaseOfPath, version: ShortText = ""
) -> dict[str, Any]:
    """Measurements and flags of a mask that is not saved, so that they follow each stroke."""
    base = find_version(case, version) if version else None
    async with received_file(request, desk.incoming, desk.options.limits.mask_bytes) as path:
        return await desk.measure(case, path, base)


@router.post("/tools/{tool}")
async def use_tool(
    request: Request,
    desk: DeskOfServer,
    case: CaseOfPath,
    tool: Literal["interpolate", "remove-island", "fill-holes", "grow"],
    version: ShortText = "",
) -> Response:
    """Change a mask as a whole; nothing is saved."""
    base = find_version(case, version) if version else None
    limits = desk.options.limits
    async with received_file(request, desk.incoming, limits.mask_bytes) as path:
        result = await desk.use_tool(case, path, tool, dict(request.query_params), base)
    return _file_once(result, _GZIP)


@router.get("/export")
async def export(
    desk: DeskOfServer,
    case: CaseOfPath,
    type: ShortText = "nifti",
    version: ShortText = "newest",
) -> Response:
    """A version of the mask in another format, as a download."""
    return await _exported(desk, case, type, version)


@router.get("/versions/{version}/mesh.stl")
async def mesh(desk: DeskOfServer, case: CaseOfPath, version: str) -> Response:
    """The surface of a version."""
    return await _exported(desk, case, "mesh", version)


@router.get("/identity")
async def identity(desk: DeskOfServer, case: CaseOfPath) -> dict[str, str]:
    """Patient and accession number in the headers of a DICOM scan: only if asked for, and never logged."""
    if case.scan is None:
        raise HTTPException(404, NO_FILE)
    return await desk.identity(case)


async def _exported(desk: Desk, case: CaseRecord, kind: str, version: str) -> Response:
    found = find_version(case, version)
    path = await desk.export(case, found.version, kind)
    suffix = "".join(path.suffixes[-2:]) if path.suffix == ".gz" else path.suffix
    return _file_once(path, _MEDIA_TYPES[path.suffix], f"liver_{kind}_v{found.version:03}{suffix}")


def _file_once(path: Path, media_type: str, name: str | None = None) -> FileResponse:
    """A file that is deleted once it was sent."""
    return FileResponse(
        path, media_type=media_type, filename=name, background=BackgroundTask(path.unlink)
    )
