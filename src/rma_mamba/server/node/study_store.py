"""Received images on disk, a folder for each study; an image is confirmed to its sender only when it is safe here."""

from __future__ import annotations

import filecmp
import os
import shutil
import threading
import time
from collections.abc import Hashable
from contextlib import suppress
from pathlib import Path
from typing import Literal

from rma_mamba.pipeline.pseudonyms import Pseudonyms
from rma_mamba.scans.dicom_probe import ObjectIdentity, identify_object
from rma_mamba.server.node.work_queue import WorkQueue

Reception = Literal["stored", "repeated", "discarded", "invalid"]

_ABANDONED_SECONDS = 300.0  # longer than the listener waits for a silent sender
_STUDIES, _RECEIVING, _IMAGES, _RESULTS = "studies", "receiving", "images", "results"


class StudyStore:
    """The studies below the folder of a queue. Names of folders and files are pseudonyms of UIDs.

    Args:
        queue: The queue; a study is a job of it.
        pseudonyms: Pseudonyms of studies.
    """

    def __init__(self, queue: WorkQueue, pseudonyms: Pseudonyms) -> None:
        self.folder, self.queue, self.pseudonyms = queue.folder, queue, pseudonyms
        self.receiving = self.folder / _RECEIVING
        shutil.rmtree(self.receiving, ignore_errors=True)  # what nobody was told to be safe
        self.receiving.mkdir(mode=0o700)
        self._mutex = threading.Lock()
        self._changed: dict[str, float] = {}
        self._senders: dict[str, set[Hashable]] = {}  # of each study, while they are connected
        self._started = time.monotonic()

    def images(self, key: str) -> Path:
        """Folder of the images of a study."""
        return self.folder / _STUDIES / key / _IMAGES

    def results(self, key: str) -> Path:
        """Folder of the results of a study."""
        return self.folder / _STUDIES / key / _RESULTS

    def quiet_s(self, key: str) -> float:
        """Seconds since the last image of a study arrived; since the start of the process if none has."""
        return time.monotonic() - self._changed.get(key, self._started)

    def has_sender(self, key: str) -> bool:
        """Whether a connection is open over which images of a study arrived."""
        with self._mutex:
            return bool(self._senders.get(key))

    def sender_left(self, sender: Hashable) -> None:
        """A connection has ended."""
        with self._mutex:
            for key, senders in list(self._senders.items()):
                senders.discard(sender)
                if not senders:
                    del self._senders[key]

    def receive(self, path: Path, sender: Hashable = None) -> Reception:
        """Move a received file to its study, and let the study wait for its turn.

        The file is on the disk, and the study in the queue, before this returns.

        Args:
            path: The file, in the folder `receiving`.
            sender: The connection over which it came, until `sender_left`; None: unknown.

        Raises:
            OSError: It cannot be stored.
        """
        found = identify_object(path)
        if found is None or not (found.study and found.instance):
            return "invalid"
        if not found.is_scan_image:
            return "discarded"
        return self._store(path, found, sender)

    def _store(self, path: Path, found: ObjectIdentity, sender: Hashable) -> Reception:
        key = self.pseudonyms.of(found.study)
        name = self.pseudonyms.of(found.study, found.instance, *found.place)
        target = self.images(key) / f"{name}.dcm"
        with self._mutex:
            self._changed[key] = time.monotonic()
            if sender is not None:
                self._senders.setdefault(key, set()).add(sender)
        if target.exists() and filecmp.cmp(path, target, shallow=False):
            self._reopen_finished(key)
            return "repeated"
        if not target.parent.is_dir():
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _flush(target.parent.parent)
        self._reopen(key)
        _flush(path)
        path.replace(target)
        _flush(target.parent)
        self._reopen(key)  # unless segmentation has started since
        return "stored"

    def remove(self, key: str) -> None:
        """Remove images and results of a study, and its job."""
        shutil.rmtree(self.folder / _STUDIES / key, ignore_errors=True)
        self.queue.forget(key)
        with self._mutex:
            self._changed.pop(key, None)

    def remove_abandoned(self) -> None:
        """Remove files that stopped growing long ago: the connection ended in the middle of an object."""
        for path in self.receiving.iterdir():
            with suppress(OSError):  # it has been received meanwhile
                if time.time() - path.stat().st_mtime > _ABANDONED_SECONDS:
                    path.unlink()

    def add_lost_jobs(self) -> None:
        """Let studies wait that have images but no job: the database was removed, or is older than the images."""
        for folder in sorted((self.folder / _STUDIES).glob("*/")):
            if self.queue.job(folder.name) is None:
                self.queue.reopen(folder.name)

    def _reopen(self, key: str) -> None:
        job = self.queue.job(key)
        if job is None or job.state != "waiting" or job.tries:
            self.queue.reopen(key)

    def _reopen_finished(self, key: str) -> None:
        """A study that is sent again is segmented again if it was finished, as whoever sends it expects."""
        job = self.queue.job(key)
        if job is None or job.state in ("done", "failed", "ignored"):
            self.queue.reopen(key)


def _flush(path: Path) -> None:
    """Write a file or the names in a folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
