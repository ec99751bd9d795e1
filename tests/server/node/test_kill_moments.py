"""The process is killed before each statement of the database in turn: nothing is lost, and nothing is sent twice."""

from __future__ import annotations

import os
import shutil
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import pytest

from clinical_series import clinical_series
from dicom_series import save
from rma_mamba.server.node.audit_log import AuditLog
from rma_mamba.server.node.config import DeliveryConfig
from rma_mamba.server.node.delivery import Deliverer
from rma_mamba.server.node.node import open_store
from rma_mamba.server.node.node_metrics import NoMetrics
from rma_mamba.server.node.results_to_send import SentObject
from rma_mamba.server.node.study_task import Segmented
from rma_mamba.server.node.work_loop import WorkLoop
from rma_mamba.server.node.work_queue import Job, WorkQueue

IMAGES, OBJECTS = 3, ("dicom_seg", "dicom_sr")


class Killed(BaseException):
    """The process has ended."""


@dataclass
class Power:
    """Ends before a statement of the database, and then nothing works any more.

    Args:
        statements: How many are carried out.
    """

    database: Any
    statements: float
    in_transaction: bool = False

    def execute(self, statement: str, values: Sequence[object] = ()) -> Any:
        self.statements -= 1
        if self.statements < 0:
            raise Killed
        found = self.database.execute(statement, values)
        self.in_transaction = self.database.in_transaction
        return found

    def close(self) -> None:
        self.database.close()


@dataclass
class Hospital:
    """What survives the process: the images of the sender, and the archive."""

    files: list[Path]
    results: Path
    confirmed: set[Path] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)
    segmentations: int = 0

    # as the source of scans

    def is_ready(self, job: Job) -> bool:
        return len(self.confirmed) == len(self.files)

    is_complete = is_ready

    def segment(self, job: Job, process: Any) -> list[Segmented]:
        self.segmentations += 1
        out = process.results(job.key)
        shutil.copytree(self.results, out, dirs_exist_ok=True)
        return [Segmented({name: out / name for name in OBJECTS})]

    # as the archive

    def connect(self, objects: Sequence[SentObject]) -> Hospital:
        return self

    def send(self, sent: SentObject) -> None:
        self.counts[sent.instance] += 1

    def holds(self, sent: SentObject) -> bool:
        return sent.instance in self.counts

    def close(self) -> None:
        pass

    def live(self, folder: Path, statements: float) -> bool:
        """A life of the node; whether it did everything before it was killed."""
        queue = WorkQueue(folder)
        queue._database.execute("PRAGMA synchronous = OFF")
        queue._database = Power(queue._database, statements)  # type: ignore[assignment]
        try:
            self._work(queue)
        except Killed:
            return False
        finally:
            queue.close()
        return True

    def _work(self, queue: WorkQueue) -> None:
        queue.recover()
        store = open_store(queue)
        store.add_lost_jobs()
        for file in self.files:
            if file not in self.confirmed:
                store.receive(Path(shutil.copy(file, store.receiving / "received.dcm")))
                self.confirmed.add(file)
        metrics, audit = NoMetrics(), AuditLog(queue.folder / "audit.jsonl")
        recipients = {"PACS": OBJECTS}
        loop = WorkLoop(queue, self, store, recipients, 3, metrics, audit)  # type: ignore[arg-type]
        sender = Deliverer("PACS", self, DeliveryConfig(), queue, metrics, audit)
        while not queue.jobs("done"):
            loop.segment_next(threading.Event())
            sender.send_due()


@pytest.fixture
def hospital(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hospital:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    images = sorted(save(tmp_path / "in", clinical_series(slices=IMAGES + 2)).iterdir())
    results = tmp_path / "results"
    results.mkdir()
    for name, image in zip(OBJECTS, images[IMAGES:], strict=True):
        shutil.move(image, results / name)
    return Hospital(images[:IMAGES], results)


def test_a_kill_before_any_statement_loses_nothing_and_sends_nothing_twice(
    hospital: Hospital, tmp_path: Path
) -> None:
    for moment in range(1000):
        each = Hospital(hospital.files, hospital.results)
        folder = tmp_path / f"queue{moment}"
        finished = each.live(folder, moment)
        assert each.live(folder, float("inf"))
        assert list(each.counts.values()) == [1, 1], moment
        queue = WorkQueue(folder)
        [job] = queue.jobs()
        assert (job.state, len(list((folder / "studies").glob("*/images/*")))) == ("done", IMAGES)
        queue.close()
        if finished:
            break
    assert moment > 30
    assert each.segmentations == 1


def test_a_process_that_is_killed_again_and_again_still_finishes(
    hospital: Hospital, tmp_path: Path
) -> None:
    random, lives = Random(0), 1
    while not hospital.live(tmp_path / "queue", random.randint(1, 25)):
        lives += 1
        assert lives < 100
    assert lives > 3
    assert list(hospital.counts.values()) == [1, 1]
