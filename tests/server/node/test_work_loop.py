"""The loop that segments jobs: a study that is not complete keeps no other from being segmented."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rma_mamba.errors import ScanError
from rma_mamba.pipeline.isolated_process import ProcessDiedError
from rma_mamba.server.node.audit_log import AuditLog
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
        self.loop = WorkLoop(
            self.queue, self.scans, None, {}, 3, NoMetrics(), AuditLog(self.log)  # type: ignore[arg-type]
        )  # fmt: skip

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
