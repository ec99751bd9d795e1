"""The loop that segments jobs: a study that is not complete keeps no other from being segmented."""

from __future__ import annotations

import errno
import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import process_tasks
from rma_mamba.errors import BackendError, ScanError
from rma_mamba.pipeline.isolated_process import DiskFullError, ProcessDiedError
from rma_mamba.pipeline.request import NetworkOptions
from rma_mamba.server.node import node
from rma_mamba.server.node.audit_log import AuditLog
from rma_mamba.server.node.config import DeliveryConfig
from rma_mamba.server.node.node import Service
from rma_mamba.server.node.node_metrics import NoMetrics
from rma_mamba.server.node.study_task import Segmented
from rma_mamba.server.node.work_loop import WorkLoop
from rma_mamba.server.node.work_queue import Job, WorkQueue


class Scans:
    """A source: how each job ends, and which are complete."""

    def __init__(self) -> None:
        self.outcomes: dict[str, list[Segmented] | Exception] = {}
        self.complete: set[str] = set()
        self.segmented: list[str] = []

    def is_ready(self, job: Job) -> bool:
        return True

    def is_complete(self, job: Job) -> bool:
        return job.key in self.complete

    def segment(self, job: Job, process: Any) -> list[Segmented]:
        self.segmented.append(job.key)
        outcome = self.outcomes[job.key]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


class Loop:
    """A loop whose jobs are not sent anywhere."""

    def __init__(self, folder: Path) -> None:
        self.queue, self.scans = WorkQueue(folder), Scans()
        self.log = folder / "audit.jsonl"
        self.loop = self.new_loop()

    def new_loop(self, **settings: Any) -> WorkLoop:
        parts: Any = self.queue, self.scans, None, {}, 3, NoMetrics(), AuditLog(self.log)
        return WorkLoop(*parts, **settings)

    def add(self, key: str, outcome: list[Segmented] | Exception, *, complete: bool) -> None:
        self.queue.reopen(key)
        self.scans.outcomes[key] = outcome
        if complete:
            self.scans.complete.add(key)

    def turn(self) -> None:
        self.loop.accept_complete()
        self.loop.segment_next(threading.Event())

    def state(self, key: str) -> tuple[str, str]:
        job = self.queue.job(key)
        assert job is not None
        return job.state, job.reason

    def events(self, event: str) -> list[dict[str, Any]]:
        records = map(json.loads, self.log.read_text().splitlines())
        return [each for each in records if each["event"] == event]


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[Loop]:
    loop = Loop(tmp_path)
    yield loop
    loop.queue.close()


def test_a_study_that_waits_for_images_keeps_no_other_waiting(loop: Loop) -> None:
    loop.add("slow", [Segmented({})], complete=False)
    loop.add("b", [Segmented({})], complete=True)
    loop.turn()
    loop.turn()
    assert (loop.state("slow"), loop.state("b")) == (("segmenting", ""), ("done", ""))
    loop.scans.complete.add("slow")
    loop.turn()
    assert loop.state("slow") == ("done", "")
    assert loop.scans.segmented == ["slow", "b"]


def test_a_study_of_which_half_has_arrived_does_not_fail(loop: Loop) -> None:
    loop.add("a", ScanError("slices are missing"), complete=False)
    loop.turn()
    assert loop.state("a") == ("segmenting", "")
    loop.add("a", [Segmented({})], complete=True)  # the other half
    loop.turn()
    loop.turn()
    assert loop.state("a") == ("done", "")
    assert [each["outcome"] for each in loop.events("job_ended")] == ["done"]


def test_a_study_fails_with_the_reason_once_it_is_complete(loop: Loop) -> None:
    loop.add("a", ScanError("slices are missing"), complete=True)
    loop.turn()
    assert loop.state("a") == ("failed", "slices are missing")


def test_a_study_of_which_one_series_is_broken_fails_with_the_results_of_the_others(
    loop: Loop,
) -> None:
    loop.add("a", [Segmented({}), Segmented({}, problem="one slice only")], complete=True)
    loop.turn()
    assert loop.state("a") == ("failed", "1 of 2 series: one slice only")
    assert loop.events("segmentation_ended")[0]["series"] == 1


def test_lack_of_memory_is_tried_again_and_named(loop: Loop) -> None:
    loop.add("a", ProcessDiedError("out of memory"), complete=True)
    loop.turn()
    assert loop.state("a")[0] == "waiting"
    assert loop.events("segmentation_postponed")[0]["reason"] == "out of memory"


def test_a_job_waits_for_space_on_the_disk_unless_it_should_end(loop: Loop) -> None:
    for _ in range(5):
        loop.add("a", DiskFullError("no space for the SEG"), complete=True)
        loop.turn()
        job = loop.queue.job("a")
        assert job is not None
        assert (job.state, job.tries) == ("waiting", 0)
        assert job.due > time.time() + 10
    loop.add("a", DiskFullError("no space for the SEG"), complete=True)
    loop.new_loop(waits_for_space=False).segment_next(threading.Event())
    assert loop.state("a") == ("failed", "no space for the SEG")


class FullDisk(Scans):
    """A disk that is full at some calls."""

    def __init__(self, error: Exception, times: int) -> None:
        super().__init__()
        self.error, self.times = error, times

    def is_ready(self, job: Job) -> bool:
        self.times -= 1
        if self.times >= 0:
            raise self.error
        return True


FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("error", [FULL, sqlite3.OperationalError("database or disk is full")])
def test_a_service_goes_on_when_a_full_disk_has_space_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(node, "_FULL_PAUSE_SECONDS", 0.01)
    service, stop, scans = (
        Service(tmp_path, [], DeliveryConfig(), "NODE"),
        threading.Event(),
        FullDisk(error, 3),
    )
    scans.outcomes["a"] = [Segmented({})]
    scans.complete.add("a")
    service.queue.reopen("a")

    def tick() -> None:
        if service.queue.jobs("done"):
            stop.set()
        raise FULL

    service.run(scans, 3, stop, tick)
    assert scans.segmented == ["a"]
    service.close()


@pytest.mark.parametrize("error", [FULL, ValueError("a bug")])
def test_a_service_that_cannot_go_on_ends_as_a_whole(tmp_path: Path, error: Exception) -> None:
    service, scans = Service(tmp_path, [], DeliveryConfig(), "NODE"), FullDisk(error, 1)
    service.queue.reopen("a")
    with pytest.raises(type(error)):
        service.run(scans, 3, threading.Event(), waits_for_space=False)
    service.close()


def test_a_service_that_is_stopped_while_the_network_loads_does_not_wait_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tasks_are_found: None
) -> None:
    monkeypatch.setattr(node, "load_network", process_tasks.load_forever)
    service, stop = Service(tmp_path, [], DeliveryConfig(), "NODE"), threading.Event()
    timer = threading.Timer(0.1, stop.set)
    timer.start()
    service.load(NetworkOptions(), stop)
    assert service.process.pid is None
    monkeypatch.setattr(node, "load_network", process_tasks.die_while_loading)
    with pytest.raises(BackendError, match="ended while loading"):
        service.load(NetworkOptions(), threading.Event())
    service.close()
