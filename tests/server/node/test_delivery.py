"""Deliveries to archives that answer in every way: what is tried again, what is looked up, what is given up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydicom import uid

from archive import receiver
from clinical_series import clinical_series
from dicom_series import save
from rma_mamba.errors import ConfigError
from rma_mamba.server.node.audit_log import AuditLog
from rma_mamba.server.node.config import DeliveryConfig
from rma_mamba.server.node.delivery import MAX_REJECTIONS, Deliverer, open_destination
from rma_mamba.server.node.dicomweb import StudyAddress
from rma_mamba.server.node.results_to_send import (
    NotNowError,
    RejectedError,
    SentObject,
    UnreachableError,
)
from rma_mamba.server.node.send_address import destinations_of
from rma_mamba.server.node.work_queue import Delivery, WorkQueue

Answer = Exception | None


class FakeArchive:
    """Gives its answers to the attempts one after another, and then takes everything."""

    def __init__(self) -> None:
        self.connecting: list[Answer] = []
        self.answers: list[Answer] = []
        self.held: bool | None = False
        self.sent: list[str] = []
        self.asked = 0

    def connect(self, objects: Sequence[SentObject]) -> FakeArchive:
        self._answer(self.connecting)
        return self

    def send(self, sent: SentObject) -> None:
        self._answer(self.answers)
        self.sent.append(sent.path.name)

    def holds(self, sent: SentObject) -> bool | None:
        self.asked += 1
        return self.held

    def close(self) -> None:
        pass

    def echo(self) -> None:
        pass

    def _answer(self, answers: list[Answer]) -> None:
        error = answers.pop(0) if answers else None
        if error is not None:
            raise error


class Counter:
    """In place of a metric."""

    def labels(self, *values: str) -> Counter:
        return self

    def inc(self) -> None:
        pass

    def set_to_current_time(self) -> None:
        pass


@pytest.fixture
def archive() -> FakeArchive:
    return FakeArchive()


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[WorkQueue]:
    queue = WorkQueue(tmp_path / "queue")
    save(queue.folder / "files", clinical_series(slices=2), shuffled=False)
    queue.reopen("a")
    job = queue.job("a")
    assert job is not None
    queue.start(job)
    names = ("IM0000", "IM0001")
    queue.accept(job, [Delivery("a", "x", f"files/{name}", name, "PACS") for name in names])
    yield queue
    queue.close()


@pytest.fixture
def deliver(archive: FakeArchive, queue: WorkQueue) -> Callable[..., str]:
    """Send what is due a number of times; the state of the job."""
    counters: Any = SimpleNamespace(
        sent=Counter(), send_errors=Counter(), studies=Counter(), last_done=Counter()
    )
    settings = DeliveryConfig(first_retry_seconds=1e-9, max_retry_seconds=1e-9)
    audit = AuditLog(queue.folder / "audit.jsonl")
    deliverer = Deliverer("PACS", archive, settings, queue, counters, audit)

    def run(times: int = 1) -> str:
        for _ in range(times):
            deliverer.send_due()
        job = queue.job("a")
        assert job is not None
        return job.state

    return run


def test_new_objects_are_sent_without_a_question(archive, deliver) -> None:
    assert deliver() == "done"
    assert (archive.sent, archive.asked) == (["IM0000", "IM0001"], 0)


@pytest.mark.parametrize("held", [True, False, None])
def test_after_a_lost_answer_the_archive_is_asked_first(archive, deliver, held) -> None:
    archive.answers, archive.held = [UnreachableError("lost")], held
    assert deliver(2) == "done"
    assert archive.asked == 1  # the second object had not been touched
    assert archive.sent == ([] if held else ["IM0000"]) + ["IM0001"]


def test_an_archive_that_is_away_is_tried_again_without_end(archive, deliver) -> None:
    archive.connecting = [UnreachableError("away")] * 50
    assert deliver(50) == "delivering"
    assert deliver() == "done"
    assert archive.asked == 0


def test_a_full_disk_or_a_wrong_password_is_not_held_against_the_object(archive, deliver) -> None:
    archive.answers = [NotNowError("HTTP status 401")] * 40
    assert deliver(20) == "delivering"
    assert deliver() == "done"


def test_an_object_that_is_rejected_too_often_is_given_up_and_the_other_sent(
    archive, deliver, queue
) -> None:
    archive.answers = [RejectedError("no"), None, *[RejectedError("no")] * (MAX_REJECTIONS - 1)]
    assert deliver(MAX_REJECTIONS) == "failed"
    assert archive.sent == ["IM0001"]
    assert [each.state for each in queue.deliveries("a")] == ["failed", "sent"]


def test_a_file_that_somebody_removed_fails_alone(archive, deliver, queue) -> None:
    (queue.folder / "files" / "IM0000").unlink()
    assert deliver() == "failed"
    assert archive.sent == ["IM0001"]


@pytest.mark.parametrize(
    ("text", "host", "port", "url"),
    [
        ("PACS@10.0.0.1:104", "10.0.0.1", 104, None),
        ("MY PACS@pacs.example:11112", "pacs.example", 11112, None),
        ("PACS@[::1]:4242", "::1", 4242, None),
        ("dicomweb:http://pacs:8042/dicom-web/", None, 104, "http://pacs:8042/dicom-web"),
    ],
)
def test_addresses_of_archives_are_read(text: str, host, port: int, url) -> None:
    [found] = destinations_of(text)
    assert (found.host, found.port, found.url) == (host, port, url)


@pytest.mark.parametrize(
    "text", ["", "PACS", "PACS@host", "PACS@host:x", "@host:1", "PACS@host:70000", "dicomweb:pacs"]
)
def test_other_texts_are_errors(text: str) -> None:
    with pytest.raises(ConfigError, match="expected AETITLE@HOST:PORT"):
        destinations_of(text)


def test_the_address_of_a_study_has_its_service_and_uids() -> None:
    url = "https://pacs:8042/a/dicom-web/studies/1.2.3/series/4.5"
    assert StudyAddress.parse(url) == StudyAddress("https://pacs:8042/a/dicom-web", "1.2.3", "4.5")
    assert StudyAddress.parse("http://p/studies/1.2/").series is None
    for wrong in ("http://p/studies", "http://p/studies/1.2/instances/3", "ftp://p/studies/1.2"):
        with pytest.raises(ConfigError, match="not that of a study"):
            StudyAddress.parse(wrong)


@pytest.mark.parametrize("syntax", [uid.ExplicitVRBigEndian, uid.DeflatedExplicitVRLittleEndian])
def test_an_archive_that_prefers_another_syntax_gets_the_objects(tmp_path: Path, syntax) -> None:
    file = save(tmp_path / "scan", clinical_series(slices=1)) / "IM0000"
    sent = SentObject.from_file(file)
    with receiver(syntaxes=[syntax, uid.ImplicitVRLittleEndian]) as archive:
        [config] = destinations_of(f"PACS@127.0.0.1:{archive.port}")
        connection = open_destination(config, "RMA_MAMBA", 5.0, None).connect([sent])
        connection.send(sent)
        connection.close()
    assert archive.stored == {sent.instance}


def test_a_name_that_cannot_be_resolved_is_an_archive_that_is_away() -> None:
    [config] = destinations_of("PACS@pacs.invalid:104")
    with pytest.raises(UnreachableError, match="cannot be resolved"):
        open_destination(config, "RMA_MAMBA", 5.0, None).echo()
