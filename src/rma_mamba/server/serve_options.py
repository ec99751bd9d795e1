"""Options of the server, as the command line passes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from rma_mamba.pipeline.request import NetworkOptions


@dataclass(frozen=True)
class UploadLimits:
    """Limits of uploads.

    Args:
        bytes: Of one upload.
        files: In one upload, and in a zip archive.
        ratio: Of uncompressed to compressed size of a large archive.
        mask_bytes: Of one mask that a page sends, compressed.
        at_once: Uploads that are received at the same time.
        keep_hours: After which an upload and its results are deleted if nothing happened to them.
    """

    bytes: int = 16 * 2**30
    files: int = 20_000
    ratio: int = 200
    mask_bytes: int = 512 * 2**20
    at_once: int = 100
    keep_hours: float = 72.0


@dataclass(frozen=True)
class ServeOptions:
    """What the server serves, and how.

    Args:
        folder: Folder of scans that can be opened; None: uploads alone.
        results: Folder of results; None: `rma-mamba-results` in the folder.
        network: The network and its settings.
        limits: Limits of uploads.
        verbose: Let worker processes print to stderr.
        preload: Load the network before the first scan is opened.
    """

    folder: Path | None = None
    results: Path | None = None
    network: NetworkOptions = field(default_factory=NetworkOptions)
    limits: UploadLimits = field(default_factory=UploadLimits)
    verbose: bool = False
    preload: bool = True
