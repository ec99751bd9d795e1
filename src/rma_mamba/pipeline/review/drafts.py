"""Masks that are not saved yet, in `review/.drafts/`: one for each window of a browser and version it began from."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from rma_mamba.errors import ConfigError
from rma_mamba.files import flush_folder
from rma_mamba.pipeline.json_files import read_json, write_json_file
from rma_mamba.pipeline.review.mask_versions import KINDS, REVIEW_FOLDER, VersionKind

_WINDOW = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MASK, _RECORD = ".nii.gz", ".json"


@dataclass(frozen=True)
class Draft:
    """A mask that is not saved yet.

    Args:
        window: The window in which it was drawn.
        parent: The version it began from; None if there was none.
        time: When it was drawn, ISO 8601 in UTC.
        kind: "manual" if nothing of the parent is left in it; None: decided when it is saved.
    """

    window: str
    parent: int | None
    time: str
    kind: VersionKind | None = None


class Drafts:
    """The drafts in the folder of a case."""

    def __init__(self, case: Path) -> None:
        self.folder = (
            case / REVIEW_FOLDER / ".drafts"
        )  # hidden: no search for scans takes them for one

    def all(self) -> list[Draft]:
        """All drafts, the newest last."""
        return [draft for draft, _ in self._found()]

    def find(self, window: str, parent: int | None = None) -> Path | None:
        """The mask of a draft; None if there is none.

        Args:
            window: The window.
            parent: The version it began from; None: that of the newest draft.

        Raises:
            ConfigError: The identifier of the window is not valid.
        """
        check_window(window)
        return next((path for _, path in reversed(self._of(window, parent))), None)

    def save(
        self,
        window: str,
        received: Path,
        parent: int | None,
        kind: VersionKind | None = None,
    ) -> Draft:
        """Replace the draft of a window and version by a file, which is moved; it was flushed to disk."""
        check_window(window)
        time = datetime.now(UTC).isoformat(timespec="milliseconds")
        draft = Draft(window, parent, time, kind)
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{window}.v{parent or 0:03}{_MASK}"
        received.replace(path)
        write_json_file(_record_of(path), asdict(draft), "draft")
        flush_folder(self.folder)
        return draft

    def remove(self, window: str, parent: int | None = None) -> None:
        """Remove the draft of a window that began from a version, or all drafts of the window."""
        check_window(window)
        for _, path in self._of(window, parent):
            path.unlink(missing_ok=True)
            _record_of(path).unlink(missing_ok=True)

    def _of(self, window: str, parent: int | None) -> list[tuple[Draft, Path]]:
        return [
            (draft, path)
            for draft, path in self._found()
            if draft.window == window and parent in (None, draft.parent)
        ]

    def _found(self) -> list[tuple[Draft, Path]]:
        """All drafts and their masks, the newest last."""
        masks = (
            path.with_name(path.name.removesuffix(_RECORD) + _MASK)
            for path in self.folder.glob(f"*{_RECORD}")
        )
        found = ((_read(path), path) for path in masks if path.is_file())
        known = [(draft, path) for draft, path in found if draft is not None]
        return sorted(known, key=lambda each: each[0].time)


def check_window(window: str) -> None:
    """Check the identifier of a window.

    Raises:
        ConfigError: It is not valid.
    """
    if not _WINDOW.fullmatch(window):
        raise ConfigError(
            "the window is not valid; expected up to 64 letters, digits, hyphens or underscores. Reload the page."
        )


def _record_of(mask: Path) -> Path:
    return mask.with_name(mask.name.removesuffix(_MASK) + _RECORD)


def _read(mask: Path) -> Draft | None:
    """The record of a draft; None if it is corrupt."""
    record = read_json(_record_of(mask))
    window, time, parent = (record.get(key) for key in ("window", "time", "parent"))
    if not isinstance(window, str) or not isinstance(time, str):
        return None
    kind = next((each for each in KINDS if each == record.get("kind")), None)
    return Draft(window, parent if isinstance(parent, int) else None, time, kind)
