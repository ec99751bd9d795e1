"""The versions of a mask, in the folder `review` of a case: `review/v001/liver.nii.gz` and `version.json`.

The first version is the network's mask, each correction is another one. A version is written to a temporary folder
that is then renamed, so that it exists completely or not at all, and is never changed.
"""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from rma_mamba.conventions import software
from rma_mamba.errors import ConfigError
from rma_mamba.files import file_sha256, flush_folder, remove_unfinished, staged_folder
from rma_mamba.pipeline.json_files import read_json, write_json_file
from rma_mamba.pipeline.review.scan_reading import ScanReading
from rma_mamba.scans import write_mask
from rma_mamba.scans.earlier_results import RUN_RECORD
from rma_mamba.volume import Mask

REVIEW_FOLDER = "review"
MASK_FILE = "liver.nii.gz"
RECORD_FILE = "version.json"

VersionKind = Literal["automatic", "semiautomatic", "manual"]
KINDS: tuple[VersionKind, ...] = ("automatic", "semiautomatic", "manual")

_NO_RUN: Mapping[str, Any] = {}
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
        made: Algorithm, its version and SHA-256 of its weights, for a mask that no `run.json` describes; else None.
        scan: The scan on which it was made, as it was read; None: not recorded, by an earlier release.
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
    scan: ScanReading | None = None


def lists_mask(run: Mapping[str, Any], version: MaskVersion) -> bool:
    """Whether the mask of a version, or the file from which it was read, is among the files of a run."""
    files = run.get("files") or {}
    return (version.source_sha256 or version.mask_sha256) in files.values()


def version_record(version: MaskVersion) -> dict[str, Any]:
    """A version as a page gets it: without what identifies the scan; `scan` differs between scans."""
    return {**asdict(version), "scan": version.scan.key if version.scan else None}


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
        scan: ScanReading | None = None,
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
            scan: The scan on which it was made; None: that of the parent.

        Raises:
            ScanError: The files cannot be written.
            ConfigError: The parent does not exist.
        """
        base = None if parent is None else self.find(parent)
        now = _iso(datetime.now(UTC))
        fields: dict[str, Any] = {"parent": parent, "kind": kind, "author": author}
        fields |= {"note": note, "tool": tool, "made": made}
        fields["scan"] = scan or (base.scan if base else None)
        return self._save(lambda path: write_mask(mask, path), time=now, **fields)

    def origin(self, version: MaskVersion) -> MaskVersion:
        """The version from which a version was made by corrections: the result of a program, or an imported mask."""
        origin = version
        for origin in self._lineage(version):
            if origin.made is not None:
                break
        return origin

    def run_of(self, version: MaskVersion) -> dict[str, Any]:
        """The `run.json` of the run whose mask a version is or was corrected from; empty if there was none.

        Each run leaves a copy in the folder of its version: a case that is segmented again has another `run.json`.
        """
        last, oldest = read_json(self.case / RUN_RECORD), version
        for oldest in self._lineage(version):
            if run := read_json(self.path(oldest.version) / RUN_RECORD):
                same = lists_mask(last, oldest) and not _differ(
                    oldest.scan, ScanReading.of_run(last)
                )
                return last if same else run
        return last if oldest.scan is None else {}

    def _lineage(self, version: MaskVersion) -> Iterator[MaskVersion]:
        """A version, the one from which it was made, and so on."""
        records = {each.version: each for each in self.all()}
        yield version
        while version.parent in records and version.parent < version.version:
            version = records[version.parent]
            yield version

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
        run = read_json(self.case / RUN_RECORD)
        scan = ScanReading.of_run(run)
        if known is not None and known.mask_sha256 == digest and not _differ(known.scan, scan):
            return known
        moment = datetime.fromtimestamp(result.stat().st_mtime, UTC)
        fields: dict[str, Any] = {"kind": kind, "author": author, "made": made}
        fields["tool"] = tool or software()
        fields |= {"parent": None, "note": "", "time": _iso(moment), "scan": scan}
        return self._save(lambda path: _link(result, path), run, **fields)

    def adopt_mask(
        self, mask: Mask, source: Path, run: Mapping[str, Any], **fields: Any
    ) -> MaskVersion:
        """Make a mask that was read from a file of another format a version.

        Args:
            mask: The mask.
            source: The file.
            run: The `run.json` that describes the file; empty if there is none.
            fields: As in `MaskVersion`.
        """
        remove_unfinished(self.folder, min_age_s=1.0)
        moment = datetime.fromtimestamp(source.stat().st_mtime, UTC)
        fields |= {"time": _iso(moment), "parent": None}
        return self._save(lambda path: write_mask(mask, path), run, **fields)

    def _save(
        self, write: Callable[[Path], None], run: Mapping[str, Any] = _NO_RUN, **fields: Any
    ) -> MaskVersion:
        with staged_folder(self.folder, "version of the mask") as staged:
            write(staged / MASK_FILE)
            if run:
                write_json_file(staged / RUN_RECORD, dict(run), "run record")
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
        if scan := content.get("scan"):
            content["scan"] = ScanReading.of_record(scan)
        return MaskVersion(**content) if content["kind"] in KINDS else None
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _differ(one: ScanReading | None, other: ScanReading) -> bool:
    """Whether two scans are known to have different voxels."""
    known = one.voxels_sha256 if one else None
    return None not in (known, other.voxels_sha256) and known != other.voxels_sha256


def _link(source: Path, target: Path) -> None:
    """A second name for a file that is only ever replaced, or a copy if the file system has no links."""
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)
