"""A watched folder: scans that have stopped growing become jobs of the queue."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from rma_mamba.conventions import SCAN_SUFFIXES, strip_suffix
from rma_mamba.errors import ConfigError, RmaMambaError
from rma_mamba.files import replace_file
from rma_mamba.pipeline.discovery import Case, clashing_names, search
from rma_mamba.pipeline.folder_contents import case_suffix
from rma_mamba.pipeline.isolated_process import IsolatedProcess
from rma_mamba.pipeline.messages import Messages
from rma_mamba.pipeline.pseudonyms import Pseudonyms
from rma_mamba.pipeline.request import SegmentRequest
from rma_mamba.scans.dicom_probe import identify_object
from rma_mamba.scans.mask_files import is_mask_file
from rma_mamba.scans.nifti_pairs import header_and_image
from rma_mamba.server.node.config import DeliveryConfig, DestinationConfig
from rma_mamba.server.node.folder_listing import LOOSE, FolderListing, Group
from rma_mamba.server.node.node import Service
from rma_mamba.server.node.study_task import ScanTask, Segmented, segment_scan
from rma_mamba.server.node.work_queue import Job

QUEUE_FOLDER = ".rma-mamba-queue"  # in the folder of the results
_ERRORS = "errors.jsonl"
_LINKS = "loose"
_MAX_TRIES = 3
_STUCK_S = 60.0  # a copy that has not grown for so long may have been given up
_INCOMPLETE = (
    "a file is empty, or has the temporary name of a file that is being copied; expected complete files. "
    "Finish copying, or remove the file."
)


@dataclass(frozen=True)
class WatchOptions:
    """Settings of `rma-mamba watch`.

    Args:
        folder: The watched folder.
        out: Folder of the results.
        request: How scans are segmented, and which files are written.
        quiet_s: A scan is complete when its files have not changed for this long.
        poll_s: Time between two looks into the folder.
        destinations: Where DICOM results are sent.
        delivery: Retries.
        once: End when everything in the folder is done.
    """

    folder: Path
    out: Path
    request: SegmentRequest
    quiet_s: float = 5.0
    poll_s: float = 1.0
    destinations: tuple[DestinationConfig, ...] = ()
    delivery: DeliveryConfig = field(default_factory=DeliveryConfig)
    once: bool = False


@dataclass(frozen=True)
class _Scan:
    """A scan in the folder: its path in it, and a digest of its files."""

    source: str
    signature: str

    @property
    def name(self) -> str:
        """The name of its case, which is that of the folder of its results."""
        return strip_suffix(self.source, SCAN_SUFFIXES)


class WatchedFolder:
    """The scans of a folder as jobs.

    Args:
        options: All settings.
        service: The queue.
    """

    def __init__(self, options: WatchOptions, service: Service) -> None:
        self._options, self._queue = options, service.queue
        self._pseudonyms = Pseudonyms(service.queue.folder / "pseudonyms.key")
        self._listing = FolderListing(options.folder, options.out)
        self._searched: dict[str, str] = {}
        self._found: dict[str, list[_Scan]] = {}
        self._queued: dict[str, str] = {}
        self._clashes: dict[str, str] = {}
        self._studies: dict[tuple[str, tuple[int, int]], str] = {}
        self._unreadable: dict[str, str] = {}

    def update(self) -> None:
        """Look into the folder, and let scans that have stopped growing wait for their turn."""
        try:
            self._listing.update()
        except OSError:  # a network drive that is away
            return
        for known in (self._unreadable, self._found):
            for name in known.keys() - self._listing.groups.keys():
                del known[name]
        for name, group in self._listing.groups.items():
            if group.is_growing and self._is_stuck(group):
                self._unreadable[name] = _INCOMPLETE
            quiet = group.quiet_s >= self._options.quiet_s and not group.is_growing
            if quiet and self._searched.get(name) != group.signature():
                self._search(name, group)
                self._searched[name] = group.signature()
        self._add_jobs()

    @property
    def problems(self) -> dict[str, str]:
        """What cannot be segmented as it is, by its path in the folder."""
        return {**self._unreadable, **self._clashes}

    def _is_stuck(self, group: Group) -> bool:
        wait = self._options.quiet_s if self._options.once else _STUCK_S
        return group.quiet_s >= max(wait, self._options.quiet_s)

    @property
    def is_searched(self) -> bool:
        """Whether every scan in the folder is in the queue, or cannot be completed."""
        return all(
            self._is_stuck(group)
            if group.is_growing
            else self._searched.get(name) == group.signature()
            for name, group in self._listing.groups.items()
        )

    def holds(self, job: Job) -> bool:
        """Whether the scan of a job is still there."""
        links = self._links(job.key)
        if links.is_dir():
            return any(link.exists() for link in links.iterdir())
        return (self._options.folder / job.source).exists()

    def is_ready(self, job: Job) -> bool:
        """Every job has stopped growing."""
        return True

    def is_complete(self, job: Job) -> bool:
        """As above."""
        return True

    def segment(self, job: Job, process: IsolatedProcess) -> list[Segmented]:
        """Segment a scan; errors as in the protocol."""
        loose = self._links(job.key)
        scan = loose if loose.is_dir() else self._options.folder / job.source
        case = Case(scan, _Scan(job.source, job.signature).name)
        task = ScanTask(case, self._options.out, self._options.request)
        return process.call(segment_scan, task)

    def _search(self, name: str, group: Group) -> None:
        try:
            scans = self._scans(name, group)
            self._found[name] = [_Scan(each, group.signature(files)) for each, files in scans]
            self._unreadable.pop(name, None)
        except RmaMambaError as error:
            self._found.pop(name, None)
            self._unreadable[name] = str(error)

    def _add_jobs(self) -> None:
        """Queue the scans that were found, except those that would share the folder of their results."""
        scans = [scan for found in self._found.values() for scan in found]
        folder = self._options.folder
        cases = [Case(folder / each.source, each.name) for each in scans]
        clashes = clashing_names(cases, folder)
        self._clashes = {
            path.relative_to(folder).as_posix(): text for path, text in clashes.items()
        }
        for scan in scans:
            if scan.source in self._clashes or self._queued.get(scan.source) == scan.signature:
                continue
            key = self._pseudonyms.of("scan", scan.source)
            job = self._queue.job(key)
            if job is None or job.signature != scan.signature:
                self._queue.reopen(key, source=scan.source, signature=scan.signature)
            self._queued[scan.source] = scan.signature

    def _scans(self, name: str, group: Group) -> Iterator[tuple[str, list[str]]]:
        """The scans of a group, each with its files; paths are relative to the folder."""
        if name == LOOSE:
            yield from self._loose_studies(group)
        elif name.endswith("/"):
            yield from self._cases_in(name, group)
        else:
            for file in group.files:
                path = self._options.folder / file
                pair = header_and_image(path)
                is_second = pair is not None and path != pair[0]
                if case_suffix(path) and not is_second and not is_mask_file(path):
                    yield file, list(group.files)

    def _cases_in(self, name: str, group: Group) -> Iterator[tuple[str, list[str]]]:
        folder = self._options.folder
        found = search(folder / name, self._options.out, check_names=False).cases
        for case in [Case(folder / name, name)] if found is None else found:
            source = case.scan.relative_to(folder).as_posix()
            if case.scan.is_dir():
                files = [each for each in group.files if each.startswith(f"{source}/")]
            else:
                stem = strip_suffix(source, SCAN_SUFFIXES)
                files = [each for each in group.files if each.startswith(f"{stem}.")]
            if files:
                yield source, files

    def _loose_studies(self, group: Group) -> Iterator[tuple[str, list[str]]]:
        """The studies of slices that lie in the folder itself: a folder of links for each."""
        studies: dict[str, list[str]] = defaultdict(list)
        for file, state in group.files.items():
            if (file, state) not in self._studies:
                found = identify_object(self._options.folder / file)
                is_scan = found is not None and found.is_scan_image
                self._studies[file, state] = found.study if found and is_scan else ""
            if study := self._studies[file, state]:
                studies[study].append(file)
        for study, files in studies.items():
            source = f"study_{self._pseudonyms.of(study)}"
            self._link(self._links(self._pseudonyms.of("scan", source)), files)
            yield source, files

    def _links(self, key: str) -> Path:
        return self._queue.folder / _LINKS / key

    def _link(self, folder: Path, files: list[str]) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for number, file in enumerate(sorted(files)):
            (folder / f"{number:06}.dcm").symlink_to((self._options.folder / file).resolve())


def watch(options: WatchOptions, messages: Messages, stop: threading.Event) -> int:
    """Segment what appears in a folder, until `stop` is set; the number of scans that failed.

    Raises:
        ConfigError: A folder cannot be used.
        WeightsError, BackendError: The network or a destination cannot be used.
    """
    if not options.folder.is_dir():
        raise ConfigError(
            "the watched folder does not exist; expected a folder. Create it, or correct the path."
        )
    service = Service(
        options.out / QUEUE_FOLDER, options.destinations, options.delivery, "RMA_MAMBA"
    )
    with ExitStack() as ending:
        ending.callback(service.close)
        service.load(options.request.network, stop)
        watched = WatchedFolder(options, service)
        for job in filter(watched.holds, service.queue.jobs("failed")):  # a new attempt
            service.queue.reopen(job.key, source=job.source, signature=job.signature)
        report = _Report(options, service, watched, messages)
        service.audit.write("started")
        messages.note("The folder is watched. Stop it with Ctrl-C.")
        ticks = _Ticks(options, watched, report, stop)
        service.run(watched, _MAX_TRIES, stop, ticks, waits_for_space=not options.once)
        service.audit.write("stopped")
        return report.failed


class _Ticks:
    """What is done a few times per second."""

    def __init__(
        self, options: WatchOptions, watched: WatchedFolder, report: _Report, stop: threading.Event
    ) -> None:
        self._options, self._watched, self._report, self._stop = options, watched, report, stop
        self._next = 0.0

    def __call__(self) -> None:
        if time.monotonic() >= self._next:
            self._watched.update()
            self._next = time.monotonic() + self._options.poll_s
        is_idle = self._report.update()
        if self._options.once and is_idle and self._watched.is_searched:
            self._report.update()
            self._stop.set()


class _Report:
    """Prints how jobs end, and lists those that failed in errors.jsonl."""

    def __init__(
        self, options: WatchOptions, service: Service, watched: WatchedFolder, messages: Messages
    ) -> None:
        self._out, self._queue, self._watched = options.out, service.queue, watched
        self._messages = messages
        self._seen = {(job.key, job.round) for job in self._queue.jobs("done", "failed")}
        self._count = 0
        self._errors: str | None = None  # the list may be that of an earlier run
        self.failed = 0

    def update(self) -> bool:
        """Report what has ended; whether nothing is left to do."""
        ended = self._queue.jobs("done", "failed")
        for job in ended:
            if (job.key, job.round) not in self._seen:
                self._seen.add((job.key, job.round))
                self._count += 1
                self._print(job)
        failed = [job for job in ended if job.state == "failed"]
        self._list_errors([job for job in failed if self._watched.holds(job)])
        return not self._queue.jobs("waiting", "segmenting", "delivering")

    def _print(self, job: Job) -> None:
        place = f"[{self._count}]"  # not the name, which may be a patient's
        if job.state == "failed":
            self._messages.fail(f"{place} {job.reason}")
        else:
            self._messages.note(f"{place} done")

    def _list_errors(self, jobs: list[Job]) -> None:
        records = [
            {"case": strip_suffix(job.source, SCAN_SUFFIXES), "message": job.reason} for job in jobs
        ]
        records += [
            {"case": name.rstrip("/") or _LINKS, "message": text}
            for name, text in self._watched.problems.items()
        ]
        self.failed = len(records)
        lines = "".join(json.dumps(each) + "\n" for each in records)
        if lines == self._errors:
            return
        self._errors = lines
        path = self._out / _ERRORS
        if lines:
            replace_file(path, lines.encode(), "list of errors")
        else:
            path.unlink(missing_ok=True)
