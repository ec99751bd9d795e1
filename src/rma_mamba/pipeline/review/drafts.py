"""Masks that are not saved yet, one for each window of a browser: `review/.drafts/WINDOW.nii.gz`."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from rma_mamba.errors import ConfigError
from rma_mamba.files import flush_folder
from rma_mamba.pipeline.json_files import read_json, write_json_file
from rma_mamba.pipeline.review.mask_versions import REVIEW_FOLDER

_WINDOW = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True)
class Draft:
    """A mask that is not saved yet: the window in which it was drawn, the version it began from, and when."""

    window: str
    parent: int | None
    time: str


class Drafts:
    """The drafts in the folder of a case."""

    def __init__(self, case: Path) -> None:
        self.folder = (
            case / REVIEW_FOLDER / ".drafts"
        )  # hidden: no search for scans takes them for one

    def all(self) -> list[Draft]:
        """All drafts, the newest last."""
        records = (read_json(path) for path in self.folder.glob("*.json"))
        found = [
            Draft(record["window"], record.get("parent"), record["time"])
            for record in records
            if {"window", "time"} <= record.keys() and self.path(record["window"]).is_file()
        ]
        return sorted(found, key=lambda draft: draft.time)

    def path(self, window: str) -> Path:
        """The file of the draft of a window.

        Raises:
            ConfigError: The identifier of the window is not valid.
        """
        if not _WINDOW.fullmatch(window):
            raise ConfigError(
                "the window is not valid; expected up to 64 letters, digits, hyphens or underscores. Reload the page."
            )
        return self.folder / f"{window}.nii.gz"

    def save(self, window: str, received: Path, parent: int | None) -> Draft:
        """Replace the draft of a window by a file, which is moved; it was flushed to disk."""
        path = self.path(window)
        draft = Draft(window, parent, datetime.now(UTC).isoformat(timespec="milliseconds"))
        self.folder.mkdir(parents=True, exist_ok=True)
        received.replace(path)
        write_json_file(path.with_name(f"{window}.json"), asdict(draft), "draft")
        flush_folder(self.folder)
        return draft

    def remove(self, window: str) -> None:
        """Remove the draft of a window, if there is one."""
        path = self.path(window)
        path.unlink(missing_ok=True)
        path.with_name(f"{window}.json").unlink(missing_ok=True)
