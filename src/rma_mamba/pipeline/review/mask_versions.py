"""The versions of a mask, in the folder `review` of a case: `review/v001/liver.nii.gz` and `version.json`.

The first version is the network's mask, each correction is another one. A version is written to a temporary folder
that is then renamed, so that it exists completely or not at all, and is never changed.
"""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from rma_mamba.conventions import software
from rma_mamba.errors import ConfigError
from rma_mamba.files import file_sha256, flush_folder, remove_unfinished, staged_folder
from rma_mamba.pipeline.json_files import write_json_file
from rma_mamba.scans import write_mask
from rma_mamba.volume import Mask

REVIEW_FOLDER = "review"
MASK_FILE = "liver.nii.gz"
RECORD_FILE = "version.json"

VersionKind = Literal["automatic", "semiautomatic", "manual"]
KINDS: tuple[VersionKind, ...] = ("automatic", "semiautomatic", "manual")

_TAKEN = (errno.EEXIST, errno.ENOTEMPTY)


@dataclass(frozen=True)
class MaskVersion:
    """The record of one version.

    Args:
        version: Its number, from 1.
        kind: Made by the network, by a person who corrected another version, or by a person alone.
        parent: Number of the version from which it was made; None for the first.
        author: Name that the person has typed; None if there is none.
        time: When it was saved, ISO 8601 in UTC.
        tool: What made it.
        note: A remark of the author.
        mask_sha256: SHA-256 of the mask file.
        source_sha256: SHA-256 of the file of another format from which the mask was read; None if there is none.
        made: Algorithm, its version and SHA-256 of its weights, for a mask of another program; None: of this one.
    """

    version: int
    kind: VersionKind
    parent: int | None
    author: str | None
    time: str
    tool: str
    note: str
    mask_sha256: str
    source_sha256: str | None = None
    made: dict[str, str | None] | None = None


class MaskVersions:
    """The versions in the folder of a case.

    Args:
        case: The folder of the case, which `segment` has written.
    """

    def __init__(self, case: Path) -> None:
        self.case = case
        self.folder = case / REVIEW_FOLDER

    def all(self) -> list[MaskVersion]:
        """All versions in the order of their numbers."""
        found = (_read(path / RECORD_FILE) for path in self.folder.glob("v[0-9]*"))
        return sorted((each for each in found if each), key=lambda each: each.version)

    @property
    def newest(self) -> MaskVersion | None:
        """The version with the highest number."""
        return max(self.all(), key=lambda each: each.version, default=None)

    def find(self, number: int) -> MaskVersion:
        """The version with a number.

        Raises:
            ConfigError: There is none.
        """
        found = _read(self.path(number) / RECORD_FILE)
        if found is None:
            raise ConfigError(
                f"there is no version {number} of the mask; expected one that was saved. List the versions of the case."
            )
        return found

    def path(self, number: int) -> Path:
        """The folder of a version."""
        return self.folder / f"v{number:03}"

    def mask_file(self, number: int) -> Path:
        """The mask of a version, which exists."""
        self.find(number)
        return self.path(number) / MASK_FILE

    def add(
        self,
        mask: Mask,
        *,
        parent: int | None,
        kind: VersionKind,
        author: str | None = None,
        note: str = "",
        tool: str = "viewer",
        made: dict[str, str | None] | None = None,
    ) -> MaskVersion:
        """Save a mask as a new version.

        Args:
            mask: On the grid of the scan, with the header of the scan.
            parent: The version from which it was made.
            kind: "semiautomatic" if a person corrected an automatic mask, "manual" if a person drew it.
            author: Name of the person, or None.
            note: A remark.
            tool: What made it.
            made: As in `MaskVersion`, for the mask of another program.

        Raises:
            ScanError: The files cannot be written.
            ConfigError: The parent does not exist.
        """
        if parent is not None:
            self.find(parent)
        now = _iso(datetime.now(UTC))
        fields: dict[str, Any] = {"parent": parent, "kind": kind, "author": author}
        fields |= {"note": note, "tool": tool, "made": made}
        return self._save(lambda path: write_mask(mask, path), time=now, **fields)

    def origin(self, version: MaskVersion) -> MaskVersion:
        """The version from which a version was made by corrections: the result of a program, or an imported mask."""
        records = {each.version: each for each in self.all()}
        while (
            version.made is None and version.parent in records and version.parent < version.version
        ):
            version = records[version.parent]
        return version

    @property
    def last_adopted(self) -> MaskVersion | None:
        """The newest version that is the result of a program, not a correction."""
        return next((each for each in reversed(self.all()) if each.parent is None), None)

    def adopt_result(
        self,
        *,
        kind: VersionKind = "automatic",
        author: str | None = None,
        tool: str | None = None,
        made: dict[str, str | None] | None = None,
    ) -> MaskVersion | None:
        """Make the mask in the folder of the case a version, unless it is one; None if there is no mask.

        A case that was segmented again, by another network for example, gets another version.

        Args:
            kind, author, made: How it was made, as in `MaskVersion`.
            tool: The program; None: this one.
        """
        result = self.case / MASK_FILE
        if not result.is_file():
            return None
        remove_unfinished(self.folder, min_age_s=1.0)
        known, digest = self.last_adopted, file_sha256(result)
        if known is not None and known.mask_sha256 == digest:
            return known
        moment = datetime.fromtimestamp(result.stat().st_mtime, UTC)
        fields = {"kind": kind, "author": author, "tool": tool or software(), "made": made}
        fields |= {"parent": None, "note": "", "time": _iso(moment)}
        return self._save(lambda path: _link(result, path), **fields)

    def adopt_mask(self, mask: Mask, source: Path, **fields: Any) -> MaskVersion:
        """Make a mask that was read from a file of another format a version; `fields` as in `MaskVersion`."""
        remove_unfinished(self.folder, min_age_s=1.0)
        moment = datetime.fromtimestamp(source.stat().st_mtime, UTC)
        return self._save(
            lambda path: write_mask(mask, path), time=_iso(moment), parent=None, **fields
        )

    def _save(self, write: Callable[[Path], None], **fields: Any) -> MaskVersion:
        with staged_folder(self.folder, "version of the mask") as staged:
            write(staged / MASK_FILE)
            digest = file_sha256(staged / MASK_FILE)
            while True:
                newest = self.newest
                number = newest.version + 1 if newest else 1
                record = MaskVersion(version=number, mask_sha256=digest, **fields)
                write_json_file(staged / RECORD_FILE, asdict(record), "version of the mask")
                flush_folder(staged)
                try:
                    staged.rename(self.path(number))
                except OSError as error:
                    if error.errno not in _TAKEN:
                        raise
                    continue  # another process has just saved a version with this number
                flush_folder(self.folder)
                return record


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")


def _read(path: Path) -> MaskVersion | None:
    """A record; None if there is none, or if it is corrupt."""
    try:
        content = json.loads(path.read_bytes())
        return MaskVersion(**content) if content["kind"] in KINDS else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _link(source: Path, target: Path) -> None:
    """A second name for a file that is only ever replaced, or a copy if the file system has no links."""
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)
