"""Uploads: each in a private folder of its own, which is deleted when nothing has happened to it for some time."""

from __future__ import annotations

import asyncio
import json
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from fastapi import HTTPException, Request

from rma_mamba.errors import RmaMambaError
from rma_mamba.pipeline.json_files import read_json, write_json_file
from rma_mamba.pipeline.review.folder_names import UPLOAD_RECORD, UPLOAD_RESULTS, UPLOADS_FOLDER
from rma_mamba.server.case_index import CaseRecord
from rma_mamba.server.case_registry import private_folder
from rma_mamba.server.desk import Desk
from rma_mamba.server.disk_space import check_space
from rma_mamba.server.request_bodies import body_chunks, check_declared_size, disk_errors
from rma_mamba.server.upload_parser import SkippedFiles, UploadParser, boundary_of

_PIECE_BYTES = 2**18  # written at a time; many uploads at once need little memory
_WATCH_S = 30.0
_TOO_MANY = (
    "too many uploads arrive at the same time; expected fewer. Wait until some are complete."
)


class Uploads:
    """The uploads of a server.

    Args:
        desk: The state of the server.
    """

    def __init__(self, desk: Desk) -> None:
        self.desk, self.limits = desk, desk.options.limits
        self.folder = private_folder(desk.registry.state / UPLOADS_FOLDER)
        self._receiving: set[str] = set()
        self._watch: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Remove incomplete uploads, find the others again, and begin to delete old ones."""
        for folder in self._folders():
            record = read_json(folder / UPLOAD_RECORD)
            if not record:
                await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
                continue
            for found in record.get("cases", []):
                await self.desk.add_case(found, found["name"], folder / UPLOAD_RESULTS, upload=True)
        self._watch = asyncio.create_task(self._delete_old())

    async def stop(self) -> None:
        """Stop deleting."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)

    async def receive(self, request: Request) -> tuple[list[CaseRecord], SkippedFiles, list[str]]:
        """Receive an upload, and queue its scans.

        Returns:
            The cases, the files that were skipped, and remarks on the others.

        Raises:
            HTTPException: A limit is exceeded, or the upload is incomplete.
            DiskFullError: There is no space for it.
            RmaMambaError: It contains no scan.
        """
        check_declared_size(request, self.limits.bytes)
        boundary = boundary_of(request.headers.get("content-type", ""))
        if len(self._receiving) >= self.limits.at_once:
            raise HTTPException(503, _TOO_MANY, {"retry-after": "10"})
        name = secrets.token_hex(8)
        folder = private_folder(self.folder / name)
        self._receiving.add(name)
        try:
            with disk_errors():
                return await self._receive(request, boundary, folder)
        except BaseException:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
            raise
        finally:
            self._receiving.discard(name)

    async def _receive(
        self, request: Request, boundary: bytes, folder: Path
    ) -> tuple[list[CaseRecord], SkippedFiles, list[str]]:
        files = private_folder(folder / "upload")
        parser = UploadParser(boundary, files, self.limits.files)
        await self._write(request, parser)
        found = await self.desk.workers.run(
            "list_upload",
            folder=str(files),
            max_bytes=self.limits.bytes,
            max_files=self.limits.files,
            max_ratio=self.limits.ratio,
        )
        self.desk.count_series(found)
        for name, why in found["skipped"]:
            parser.skipped.add(name, why)
        record = {"received": time.time(), "cases": found["cases"]}
        write_json_file(folder / UPLOAD_RECORD, record, "record of the upload")
        cases = [
            await self.desk.add_case(each, each["name"], folder / UPLOAD_RESULTS, upload=True)
            for each in found["cases"]
        ]
        return cases, parser.skipped, found["warnings"]

    async def _write(self, request: Request, parser: UploadParser) -> None:
        """Write the body to files, a piece at a time, in a thread."""
        pending = bytearray()
        try:
            async for chunk in body_chunks(request, self.limits.bytes):
                pending += chunk
                if len(pending) >= _PIECE_BYTES:
                    check_space(self.folder)
                    await asyncio.to_thread(parser.write, bytes(pending))
                    pending.clear()
            await asyncio.to_thread(parser.write, bytes(pending))
            parser.finish()
        finally:
            parser.close()

    def _folders(self) -> Iterator[Path]:
        yield from (path for path in sorted(self.folder.iterdir()) if path.is_dir())

    async def _delete_old(self) -> None:
        while True:
            await asyncio.sleep(min(_WATCH_S, self.limits.keep_hours * 3600))
            for folder in self._folders():
                with suppress(OSError, RmaMambaError):
                    await self._delete_if_old(folder)

    async def _delete_if_old(self, folder: Path) -> None:
        if folder.name in self._receiving:
            return
        cases = [
            case
            for case in self.desk.registry.cases.values()
            if Path(case.folder).is_relative_to(folder)
        ]
        is_busy = any(case.status in ("queued", "running") for case in cases)
        age_s = time.time() - await asyncio.to_thread(last_change, folder)
        if is_busy or age_s < self.limits.keep_hours * 3600:
            return
        for case in cases:
            self.desk.registry.remove(case)
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def last_change(folder: Path) -> float:
    """When something was last written to the results of an upload, or when it was received."""
    times = [folder.stat().st_mtime]
    with suppress(OSError, ValueError, KeyError):
        times.append(float(json.loads((folder / UPLOAD_RECORD).read_bytes())["received"]))
    for path in (folder / UPLOAD_RESULTS).rglob("*"):
        with suppress(OSError):
            times.append(path.stat().st_mtime)
    return max(times)


def as_answer(
    cases: list[CaseRecord], skipped: SkippedFiles, warnings: list[str]
) -> dict[str, Any]:
    """What the page learns of an upload."""
    return {
        "cases": [case.id for case in cases],
        "skipped": skipped.listed,
        "skipped_count": skipped.count,
        "warnings": warnings,
    }
