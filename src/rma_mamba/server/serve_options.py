"""Options of the server, as the command line passes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from rma_mamba.errors import ConfigError
from rma_mamba.pipeline.request import NetworkOptions
from rma_mamba.pipeline.review.result_folders import holds_results_only


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


def served_folders(
    folder: Path | None, results: Path | None, scans: Path | None
) -> tuple[Path | None, Path | None]:
    """Folder of the scans, and folder of the results; a folder that holds results alone is the latter.

    Args:
        folder: What is to be served.
        results: Folder of the results, if it was named.
        scans: Folder of the scans, if it was named.

    Raises:
        ConfigError: Two folders of scans were named.
    """
    if scans is None:
        if folder is not None and results is None and holds_results_only(folder):
            return None, folder
        return folder, results
    if folder is not None and results is not None:
        raise ConfigError(
            "two folders of scans are given; expected one. Leave out --scans, or pass the folder of the results alone."
        )
    return scans, results or folder


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
