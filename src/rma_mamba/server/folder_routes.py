"""Routes of the server itself, and of the folder whose scans can be opened."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from rma_mamba.conventions import software_version
from rma_mamba.server.case_routes import DeskOfServer

router = APIRouter(prefix="/api")


class OpenBody(BaseModel):
    """What to open: a handle from the list of a folder; empty for the folder itself."""

    path: str = Field("", max_length=200)


@router.get("/info")
async def info(desk: DeskOfServer) -> dict[str, Any]:
    """Version, network, folder and limits."""
    limits = desk.options.limits
    return {
        "version": software_version(),
        "weights": {"name": desk.weights_name, "sha256": desk.jobs.weights_sha256},
        "folder": desk.folder.root is not None,
        "network": asdict(desk.options.network) | {"model": desk.weights_name},
        "limits": asdict(limits),
    }


@router.get("/browse")
async def browse(desk: DeskOfServer, path: str = "") -> dict[str, Any]:
    """What is in a folder."""
    entries = await asyncio.to_thread(desk.folder.entries, path)
    parent = desk.folder.parent(path)
    return {"path": path, "parent": parent, "entries": [asdict(each) for each in entries]}


@router.post("/open")
async def open_path(desk: DeskOfServer, body: OpenBody) -> dict[str, Any]:
    """Open the scans in a path of the folder."""
    cases, warnings = await desk.open(desk.folder.resolve(body.path))
    return {"cases": [each.id for each in cases], "warnings": warnings}
