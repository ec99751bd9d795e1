"""The route of uploads."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from rma_mamba.server.uploads import Uploads, as_answer

router = APIRouter(prefix="/api")


@router.post("/uploads")
async def upload(request: Request) -> dict[str, Any]:
    """Receive scans: files, folders, zip archives."""
    uploads: Uploads = request.app.state.uploads
    return as_answer(*await uploads.receive(request))
