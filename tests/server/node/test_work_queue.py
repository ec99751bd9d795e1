"""The queue: nothing is lost and nothing is sent twice, whenever the process ends."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rma_mamba.errors import ConfigError
from rma_mamba.server.node.queue_report import queue_report
from rma_mamba.server.node.work_queue import Delivery, Job, WorkQueue


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[WorkQueue]:
    queue = WorkQueue(tmp_path / "queue")
    yield queue
    queue.close()


def deliveries(*names: str, job: str = "a", destination: str = "PACS") -> list[Delivery]:
    return [Delivery(job, name, f"{name}.dcm", f"1.2.{name}", destination) for name in names]


def waiting(queue: WorkQueue, key: str = "a") -> Job:
    queue.reopen(key)
    job = queue.job(key)
    assert job is not None
    return job


def delivering(queue: WorkQueue, *names: str) -> list[Delivery]:
    job = waiting(queue)
    assert queue.start(job)
    assert queue.accept(job, deliveries(*names))
    return queue.due_deliveries("PACS")


def restarted(queue: WorkQueue) -> WorkQueue:
    queue.close()
    queue.__init__(queue.folder)  # type: ignore[misc]
    queue.recover()
    return queue


def state(queue: WorkQueue, key: str = "a") -> str:
    job = queue.job(key)
    assert job is not None
    return job.state


def test_a_job_passes_through_its_states(queue: WorkQueue) -> None:
    seg, sr = delivering(queue, "seg", "sr")
    assert (seg.history, state(queue)) == ("new", "delivering")
    queue.begin_delivery(seg)
    assert not queue.end_delivery(seg)
    assert queue.unfinished_deliveries() == {"PACS": 1}
    queue.begin_delivery(sr)
    assert queue.end_delivery(sr)
    assert (state(queue), queue.counts()) == ("done", {"done": 1})
    assert queue.due_deliveries("PACS") == []


def test_segmentation_that_was_interrupted_waits_again(queue: WorkQueue) -> None:
    assert queue.start(waiting(queue))
    assert state(restarted(queue)) == "waiting"


def test_an_object_that_was_being_sent_is_uncertain_after_a_restart(queue: WorkQueue) -> None:
    seg, _ = delivering(queue, "seg", "sr")
    queue.begin_delivery(seg)
    found = {each.object: each.history for each in restarted(queue).due_deliveries("PACS")}
    assert found == {"seg": "unknown", "sr": "new"}


def test_what_was_sent_stays_sent_after_a_restart(queue: WorkQueue) -> None:
    seg, _ = delivering(queue, "seg", "sr")
    queue.begin_delivery(seg)
    queue.end_delivery(seg)
    assert [each.object for each in restarted(queue).due_deliveries("PACS")] == ["sr"]


def test_images_that_arrive_late_discard_the_results_in_progress(queue: WorkQueue) -> None:
    job = waiting(queue)
    assert queue.start(job)
    queue.reopen("a")
    assert not queue.accept(job, deliveries("seg"))
    assert not queue.finish(job, "failed", "for the images before")
    assert not queue.retry(job, 1)
    assert (state(queue), queue.deliveries("a")) == ("waiting", [])


def test_new_results_replace_those_that_were_not_sent(queue: WorkQueue) -> None:
    old, _ = delivering(queue, "old", "also_old")
    queue.begin_delivery(old)
    queue.end_delivery(old)
    assert [each.object for each in delivering(queue, "new")] == ["new"]
    assert {each.object for each in queue.deliveries("a")} == {"old", "new"}


def test_results_that_are_found_again_were_sent_before(queue: WorkQueue) -> None:
    for each in delivering(queue, "seg"):
        queue.begin_delivery(each)
        queue.end_delivery(each)
    [again] = delivering(queue, "seg")
    assert again.history == "sent_before"


def test_a_delivery_is_tried_again_when_its_time_has_come(queue: WorkQueue) -> None:
    [seg] = delivering(queue, "seg")
    queue.begin_delivery(seg)
    queue.postpone(seg, 60, rejected=False, uncertain=True)
    assert queue.due_deliveries("PACS") == []
    [postponed] = queue.deliveries("a")
    assert (postponed.tries, postponed.rejections, postponed.history) == (1, 0, "unknown")
    queue.postpone(postponed, 0, rejected=True, uncertain=False)
    [due] = queue.due_deliveries("PACS")
    assert (due.tries, due.rejections, due.history) == (2, 1, "unknown")


def test_a_delivery_that_is_given_up_fails_the_job_when_the_others_have_ended(
    queue: WorkQueue,
) -> None:
    seg, sr = delivering(queue, "seg", "sr")
    assert not queue.fail_delivery(seg)
    assert queue.end_delivery(sr)
    assert state(queue) == "failed"
    assert queue.jobs("failed")[0].reason == "not delivered"


def test_a_crash_is_followed_by_a_pause(queue: WorkQueue) -> None:
    job = waiting(queue)
    queue.start(job)
    assert queue.retry(job, 100)
    later = queue.job("a")
    assert later is not None
    assert (later.state, later.tries) == ("waiting", 1)
    assert later.due > time.time() + 90


def test_destinations_have_deliveries_of_their_own(queue: WorkQueue) -> None:
    job = waiting(queue)
    queue.start(job)
    queue.accept(job, [*deliveries("seg"), *deliveries("seg", destination="ARCHIVE")])
    [first], [second] = queue.due_deliveries("PACS"), queue.due_deliveries("ARCHIVE")
    assert not queue.end_delivery(first)
    assert queue.end_delivery(second)


def test_a_job_without_deliveries_is_done_at_once(queue: WorkQueue) -> None:
    job = waiting(queue)
    queue.start(job)
    assert queue.accept(job, [])
    assert state(queue) == "done"
    queue.forget("a")
    assert queue.job("a") is None


def test_a_second_process_cannot_use_the_folder(queue: WorkQueue) -> None:
    code = (
        "import sys; from pathlib import Path; from rma_mamba.errors import ConfigError\n"
        "from rma_mamba.server.node.work_queue import WorkQueue\n"
        "try: WorkQueue(Path(sys.argv[1]))\n"
        "except ConfigError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, queue.folder], capture_output=True, text=True, check=True
    )
    assert "another process uses it" in done.stdout
    with pytest.raises(ConfigError, match="writable folder"):
        WorkQueue(queue.folder / "queue.sqlite3")


def test_only_the_owner_can_read_the_folder(queue: WorkQueue) -> None:
    assert queue.folder.stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in queue.folder.glob("queue.[ls]*e*"))


def test_the_report_lists_what_is_not_finished(queue: WorkQueue) -> None:
    delivering(queue, "seg")
    waiting(queue, "b")
    report = queue_report(queue.folder)
    assert report["jobs"] == {"delivering": 1, "waiting": 1}
    assert report["unsent_objects"] == {"PACS": 1}
    assert [each["job"] for each in report["unfinished"]] == ["a", "b"]
    with pytest.raises(ConfigError, match="no queue"):
        queue_report(queue.folder / "elsewhere")
