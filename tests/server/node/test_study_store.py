"""Received images: safe on the disk before they are confirmed, under pseudonyms."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from clinical_series import PATIENT, STUDY, clinical_series
from dicom_series import beside, save
from rma_mamba.pipeline.pseudonyms import Pseudonyms
from rma_mamba.server.node.audit_log import AuditLog
from rma_mamba.server.node.config import ListenerConfig, load_config
from rma_mamba.server.node.node import StudySource
from rma_mamba.server.node.study_store import Reception, StudyStore
from rma_mamba.server.node.work_queue import WorkQueue


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StudyStore]:
    queue = WorkQueue(tmp_path / "queue")
    yield StudyStore(queue, Pseudonyms(queue.folder / "pseudonyms.key"))
    queue.close()


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    return sorted(save(tmp_path / "in", clinical_series()).iterdir())


def receive(store: StudyStore, file: Path) -> Reception:
    received = store.receiving / "received.dcm"
    shutil.copy(file, received)
    return store.receive(received)


def key(store: StudyStore) -> str:
    return store.pseudonyms.of(STUDY)


def state(store: StudyStore) -> tuple[str, int]:
    job = store.queue.job(key(store))
    assert job is not None
    return job.state, job.round


def test_images_of_a_study_are_stored_together_and_wait(store, files) -> None:
    assert {receive(store, file) for file in files} == {"stored"}
    stored = list(store.images(key(store)).iterdir())
    assert sorted(path.read_bytes() for path in stored) == sorted(f.read_bytes() for f in files)
    assert state(store) == ("waiting", 1)
    assert store.quiet_s(key(store)) < 60


def test_names_on_the_disk_tell_nothing_of_the_patient(store, files) -> None:
    receive(store, files[0])
    names = " ".join(str(path.relative_to(store.folder)) for path in store.folder.rglob("*"))
    for value in (*PATIENT.values(), "1.2.826"):
        assert not value or str(value) not in names.split("/")
    assert STUDY not in names


def test_pseudonyms_depend_on_a_secret_that_is_kept(tmp_path: Path) -> None:
    one, again = (Pseudonyms(tmp_path / "key").of("1.2.3") for _ in range(2))
    other = Pseudonyms(tmp_path / "other").of("1.2.3")
    assert one == again != other
    assert (tmp_path / "key").stat().st_mode & 0o077 == 0


def test_an_image_that_is_sent_twice_changes_nothing_while_its_study_is_in_work(
    store, files
) -> None:
    receive(store, files[0])
    job = store.queue.job(key(store))
    store.queue.start(job)
    assert receive(store, files[0]) == "repeated"
    assert state(store) == ("segmenting", 1)


def test_a_finished_study_that_is_sent_again_is_segmented_again(store, files) -> None:
    receive(store, files[0])
    job = store.queue.job(key(store))
    store.queue.start(job)
    store.queue.accept(job, [])
    assert receive(store, files[0]) == "repeated"
    assert state(store) == ("waiting", 2)


def test_a_late_image_reopens_the_study(store, files) -> None:
    receive(store, files[0])
    store.queue.start(store.queue.job(key(store)))
    assert receive(store, files[1]) == "stored"
    assert state(store) == ("waiting", 2)


def test_a_study_has_a_sender_until_its_connection_ends(store, files) -> None:
    received = store.receiving / "received.dcm"
    shutil.copy(files[0], received)
    store.receive(received, "first")
    store.sender_left("another")
    assert store.has_sender(key(store))
    store.sender_left("first")
    assert not store.has_sender(key(store))


def test_a_study_is_complete_later_while_its_sender_is_connected(store, files, monkeypatch) -> None:
    listener = ListenerConfig(quiet_seconds=2)
    config = load_config("orthanc").model_copy(update={"listener": listener})
    source = StudySource(config, store)
    received = store.receiving / "received.dcm"
    shutil.copy(files[0], received)
    store.receive(received, "first")
    job, now = store.queue.job(key(store)), time.monotonic()
    monkeypatch.setattr("rma_mamba.server.node.study_store.time.monotonic", lambda: now + 3)
    assert not source.is_complete(job)
    store.sender_left("first")
    assert source.is_complete(job)
    store.receive(shutil.copy(files[1], received), "idle")
    monkeypatch.setattr("rma_mamba.server.node.study_store.time.monotonic", lambda: now + 3 + 9)
    assert source.is_complete(job)


@pytest.mark.parametrize("kind", ["screenshot", "segmentation", "report", "dose"])
def test_what_is_not_an_image_of_a_scan_is_discarded(store, tmp_path: Path, kind: str) -> None:
    data = beside(kind)
    data.StudyInstanceUID = STUDY
    [file] = save(tmp_path / "other", [data]).iterdir()
    assert receive(store, file) == "discarded"
    assert store.queue.jobs() == []


def test_what_is_not_dicom_or_has_no_study_is_invalid(store, files, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no image")
    assert receive(store, tmp_path / "text") == "invalid"
    [nameless] = save(tmp_path / "x", clinical_series(StudyInstanceUID="")[:1]).iterdir()
    assert receive(store, nameless) == "invalid"


def test_a_study_without_a_job_is_found_at_the_next_start(store, files) -> None:
    receive(store, files[0])
    store.queue.forget(key(store))
    store.add_lost_jobs()
    assert state(store) == ("waiting", 1)
    store.remove(key(store))
    assert not store.images(key(store)).exists()


def test_half_received_files_are_removed_at_the_next_start(store) -> None:
    (store.receiving / "half.dcm").touch()
    again = StudyStore(store.queue, store.pseudonyms)
    assert list(again.receiving.iterdir()) == []


def test_each_line_of_the_audit_log_is_one_event_of_printable_text(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.jsonl")
    log.write("association_rejected", caller="EVIL\n{}", address=None, images=3)
    log.path.rename(tmp_path / "rotated.jsonl")
    log.write("stopped")
    [first] = (tmp_path / "rotated.jsonl").read_text().splitlines()
    record = json.loads(first)
    assert (record["caller"], record["images"]) == ("EVIL?{}", 3)
    assert "address" not in record
    assert len(log.path.read_text().splitlines()) == 1
    assert log.path.stat().st_mode & 0o077 == 0


def test_what_a_lost_connection_has_left_is_removed_after_a_while(store: StudyStore) -> None:
    old, new = store.receiving / "old", store.receiving / "new"
    for path in (old, new):
        path.write_bytes(b"half an image")
    os.utime(old, (0, 0))
    store.remove_abandoned()
    assert (old.exists(), new.exists()) == (False, True)


def test_images_with_the_same_uid_are_all_kept_and_a_new_version_of_one_replaces_it(
    store: StudyStore, tmp_path: Path
) -> None:
    images = clinical_series(slices=3)
    for image in images:  # a faulty sender
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    for file in save(tmp_path / "equal", images).iterdir():
        assert receive(store, file) == "stored"
    assert len(list(store.images(key(store)).iterdir())) == 3
    images[0].WindowCenter = 40
    [changed] = save(tmp_path / "changed", images[:1]).iterdir()
    assert receive(store, changed) == "stored"
    assert len(list(store.images(key(store)).iterdir())) == 3
