"""The node as a process, with senders and receivers of a library that shares nothing with its files."""

from __future__ import annotations

import socket
import ssl
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pydicom
import pytest

from archive import Receiver, associated, echo, receiver, send, store, until
from certificates import certificate
from dicom_series import beside, save
from orthanc import free_port
from quick_node import CRASHING, QuickNode, study

PATIENT = ("Doe", "4711", "1.2.826", "19700101")
RULES = """
[segmentation]
max_tries = 2
[[rules]]
phase = "portal_venous"
kernel = "B30"
[[rules]]
description = "liver|crash"
[[rules]]
description = "each"
take = "all"
"""
STUDIES = 12


def pacs(port: int, objects: str = '["dicom_seg", "dicom_sr"]') -> str:
    return f'ae_title = "PACS"\nhost = "127.0.0.1"\nport = {port}\nobjects = {objects}'


@dataclass
class Served:
    """A node and its archive, shared by tests that change nothing in its configuration."""

    node: QuickNode
    pacs: Receiver


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("shared")
    with receiver() as found, QuickNode(folder, [pacs(found.port)], RULES) as node:
        yield Served(node, found)


@pytest.fixture
def served(shared: Served) -> Served:
    shared.node.forget()
    shared.pacs.counts.clear()
    shared.pacs.answers.clear()
    shared.pacs.finds = True
    return shared


def test_unknown_callers_and_titles_are_rejected_and_the_others_served(
    served: Served, tmp_path: Path
) -> None:
    port = served.node.port
    assert send(study(tmp_path / "in"), port, caller="EVIL") == []
    assert not echo(port, caller="ct1")
    assert not echo(port, called="OTHER")
    assert echo(port)
    reasons = [each["reason"] for each in served.node.events("association_rejected")]
    assert reasons == ["unknown caller", "unknown caller", "wrong called title"]


def test_what_is_not_a_scan_is_taken_and_discarded_so_that_whole_studies_can_be_sent(
    served: Served, tmp_path: Path
) -> None:
    report = beside("report")
    report.StudyInstanceUID = "1.2.3"
    assert send(list(save(tmp_path / "other", [report]).iterdir()), served.node.port) == [0]
    assert not served.node.events("images_received")


def test_late_images_are_segmented_with_the_others_before_anything_is_sent(
    served: Served, tmp_path: Path
) -> None:
    files = study(tmp_path / "in", slices=6)
    with associated(served.node.port) as association:
        assert store(association, files[:3]) == [0, 0, 0]
        served.node.until("segmentation_started")
        assert store(association, files[3:]) == [0, 0, 0]
    served.node.until("job_ended")
    assert len(served.node.events("segmentation_started")) == 2
    assert list(served.pacs.counts.values()) == [1, 1]


def test_a_study_that_is_sent_again_is_not_sent_back_twice(served: Served, tmp_path: Path) -> None:
    files = study(tmp_path / "in")
    for number, finds in enumerate((True, True, False), 1):
        served.pacs.finds = finds
        send(files, served.node.port)
        served.node.until("job_ended", number)
        assert list(served.pacs.counts.values()) == [1, 1]
    served.pacs.finds = True
    served.pacs.stored.clear()  # somebody deleted the results, and sends the study to get them again
    send(files, served.node.port)
    served.node.until("job_ended", 4)
    assert list(served.pacs.counts.values()) == [2, 2]


def test_rules_choose_the_series_and_a_study_without_one_is_ignored(
    served: Served, tmp_path: Path
) -> None:
    uid, venous = "1.2.3.4", "Liver PV"
    files = study(tmp_path / "a", uid=uid, SeriesDescription="Liver arterial")
    files += study(tmp_path / "b", uid=uid, SeriesDescription=venous, ConvolutionKernel="B30f")
    files += study(
        tmp_path / "c", uid=uid, slices=8, SeriesDescription=venous, ConvolutionKernel="B70f"
    )
    send(files, served.node.port)
    ended = served.node.until("job_ended")
    results = served.node.folder / "queue" / "studies" / ended["job"] / "results"
    [seg] = results.glob("*/liver_seg.dcm")
    referenced = pydicom.dcmread(seg).ReferencedSeriesSequence[0].SeriesInstanceUID
    assert referenced == pydicom.dcmread(tmp_path / "b" / "IM0000").SeriesInstanceUID
    send(study(tmp_path / "d", SeriesDescription="chest"), served.node.port)
    assert served.node.until("job_ended", 2)["outcome"] == "ignored"
    assert len(served.pacs.counts) == 2


def test_an_object_that_is_rejected_again_and_again_fails_and_the_other_arrives(
    served: Served, tmp_path: Path
) -> None:
    served.pacs.answers += [0xA900, 0, *[0xA900] * 4]
    send(study(tmp_path / "in"), served.node.port)
    assert served.node.until("job_ended")["outcome"] == "failed"
    assert sorted(served.pacs.counts.values()) == [1, 5]
    assert served.node.until("delivery_failed")["reason"] == "C-STORE status 0xA900"


def test_a_study_that_crashes_its_process_fails_alone(served: Served, tmp_path: Path) -> None:
    send(study(tmp_path / "bad", SeriesDescription=CRASHING), served.node.port)
    send(study(tmp_path / "one"), served.node.port)
    ended = {served.node.until("job_ended", count)["outcome"] for count in (1, 2)}
    assert ended == {"failed", "done"}
    assert len(served.node.events("segmentation_postponed")) == 1
    assert len(served.pacs.counts) == 2


def test_a_study_that_cannot_be_segmented_fails_with_the_reason(
    served: Served, tmp_path: Path
) -> None:
    send(study(tmp_path / "in", PixelData=b"too short!"), served.node.port)
    ended = served.node.until("job_ended")
    assert ended["outcome"] == "failed"
    assert "expected" in ended["reason"]
    assert not served.pacs.counts


def test_results_of_the_other_series_are_sent_if_one_is_broken(
    served: Served, tmp_path: Path
) -> None:
    uid = "1.2.3.5"
    files = study(tmp_path / "a", uid=uid, SeriesDescription="each")
    files += study(tmp_path / "b", uid=uid, SeriesDescription="each", PixelData=b"too short!")
    files += study(tmp_path / "c", uid=uid, SeriesDescription="each")
    send(files, served.node.port)
    ended = served.node.until("job_ended")
    assert ended["outcome"] == "failed"
    assert ended["reason"].startswith("1 of 3 series: ")
    assert list(served.pacs.counts.values()) == [1] * 4


def test_many_studies_queue_and_all_results_arrive_once(served: Served, tmp_path: Path) -> None:
    for number in range(STUDIES):
        send(study(tmp_path / str(number), slices=2), served.node.port)
    served.node.until("job_ended", STUDIES, seconds=300)
    assert list(served.pacs.counts.values()) == [1] * 2 * STUDIES


def test_a_kill_of_the_process_loses_nothing_and_sends_nothing_twice(tmp_path: Path) -> None:
    port = free_port()
    with QuickNode(tmp_path, [pacs(port)], seconds=0.3) as node:
        files = study(tmp_path / "in", slices=4)
        assert send(files, node.port) == [0] * 4
        node.until("segmentation_started")
        node.kill()  # while the network runs
        node.start()
        node.until("delivery_postponed")
        with receiver(port) as found:
            found.answering.clear()
            until(lambda: found.stored)
            node.kill()  # the archive has the first object, and the node does not know it
            found.answering.set()
            node.start()
            assert node.until("job_ended")["outcome"] == "done"
            assert list(found.counts.values()) == [1, 1]
        assert len(list((tmp_path / "queue" / "studies").glob("*/images/*"))) == 4


def test_every_object_arrives_and_nothing_tells_of_the_patient(tmp_path: Path) -> None:
    every = '["dicom_seg", "dicom_sr", "dicom_rtstruct", "dicom_sc", "dicom_pdf"]'
    metrics = free_port()
    settings = f"[metrics]\nport = {metrics}"
    with receiver() as found, QuickNode(tmp_path, [pacs(found.port, every)], settings) as node:
        files = study(tmp_path / "in")
        assert send(files, node.port) == [0] * len(files)
        node.until("job_ended")
        assert list(found.counts.values()) == [1] * 5
        with urllib.request.urlopen(f"http://127.0.0.1:{metrics}/metrics") as answer:
            report = answer.read().decode()
        assert f'images_received_total{{caller="CT1"}} {len(files)}.0' in report
        assert 'objects_sent_total{destination="PACS",object="dicom_pdf"} 1.0' in report
        assert node.stop() == 0
    written = (tmp_path / "log").read_text() + (tmp_path / "queue" / "audit.jsonl").read_text()
    written += report + " ".join(
        str(path.relative_to(tmp_path)) for path in tmp_path.rglob("queue/**/*")
    )
    assert "audit.jsonl" in written
    assert not [value for value in PATIENT if value in written]


def test_tls_demands_a_trusted_certificate_and_silence_blocks_nobody(tmp_path: Path) -> None:
    node_pair, caller_pair = certificate(tmp_path, "node"), certificate(tmp_path, "caller")
    settings = f"""[listener.tls]
        certificate = "{node_pair[0]}"
        key = "{node_pair[1]}"
        authorities = "{caller_pair[0]}"
        """
    client = ssl.create_default_context(cafile=str(node_pair[0]))
    stranger = ssl.create_default_context(cafile=str(node_pair[0]))
    client.load_cert_chain(*caller_pair)
    trusted = client, "127.0.0.1"
    archive_pair = certificate(tmp_path, "archive")
    archive = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(node_pair[0]))
    archive.load_cert_chain(*archive_pair)
    archive.verify_mode = ssl.CERT_REQUIRED
    shown = f'tls = {{ authorities = "{archive_pair[0]}", certificate = "{node_pair[0]}", key = "{node_pair[1]}" }}'
    with (
        receiver(tls=archive) as found,
        QuickNode(
            tmp_path / "node", [f"{pacs(found.port)}\n{shown}"], settings, tls=trusted
        ) as node,
    ):
        with socket.create_connection(("127.0.0.1", node.port)):  # says nothing
            started = time.monotonic()
            assert echo(node.port, tls_args=trusted)
            assert time.monotonic() - started < 8
        send(study(tmp_path / "in"), node.port, tls_args=trusted)
        node.until("job_ended")
        assert list(found.counts.values()) == [1, 1]
        assert not echo(node.port, tls_args=(stranger, "127.0.0.1"))
        assert not echo(node.port)
