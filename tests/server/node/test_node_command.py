"""The commands `node` and `watch` without a network: templates, checks, and errors of one line."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path

import pytest

from archive import receiver
from rma_mamba.server.node.work_queue import Delivery, WorkQueue


@pytest.fixture
def configured(tmp_path: Path):
    def write(port: int, listener: str = "") -> Path:
        path = tmp_path / "node.toml"
        path.write_text(
            f'[listener]\nfolder = "queue"\n{listener}\n[[callers]]\nae_title = "CT1"\n'
            f'[[destinations]]\nae_title = "PACS"\nhost = "127.0.0.1"\nport = {port}\n'
            '[metrics]\nport = "none"\n'
        )
        return path

    return write


def test_the_template_is_a_configuration(command, tmp_path: Path) -> None:
    shown = command("node", "orthanc", "--show")
    (tmp_path / "node.toml").write_text(shown.out)
    again = command("node", tmp_path / "node.toml", "--show")
    assert (again.code, again.out, again.err) == (0, shown.out, "")


def test_a_check_asks_each_destination(command, configured) -> None:
    with receiver() as found:
        done = command("node", configured(found.port), "--check")
    assert (done.code, done.out, done.err) == (0, "PACS: answers\n", "")


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # pynetdicom's sockets
def test_a_check_names_what_does_not_answer_and_what_is_open(command, configured) -> None:
    path = configured(9, 'host = "0.0.0.0"')
    done = command("node", path, "--check")
    assert (done.code, done.out) == (7, "PACS: no association: check address, port and TLS\n")
    assert done.err.count("without TLS") == 1


def test_the_status_is_json_while_and_after_a_node_runs(command, configured, tmp_path) -> None:
    path = configured(9)
    missing = command("node", path, "--status")
    assert (missing.code, missing.err.count("\n")) == (2, 1)
    queue = WorkQueue(tmp_path / "queue")
    queue.reopen("a")
    job = queue.job("a")
    assert job is not None
    queue.start(job)
    queue.accept(job, [Delivery("a", "dicom_sr", "sr.dcm", "1.2", "PACS")])
    report = json.loads(command("node", path, "--status").out)
    assert report["unsent_objects"] == {"PACS": 1}
    busy = command("node", path)
    assert (busy.code, busy.err.count("\n")) == (2, 1)
    assert "another process uses it" in busy.err
    queue.close()
    assert json.loads(command("node", path, "--status").out) == report


def test_a_port_that_is_taken_is_an_error_of_one_line(command, configured) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = command("node", configured(9, f"port = {taken.getsockname()[1]}"))
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "cannot listen on port" in done.err


def test_without_the_extra_the_error_names_it(
    command, configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("pynetdicom", "prometheus_client"):
        monkeypatch.setitem(sys.modules, name, None)
        done = command("node", configured(9), "--check" if name == "pynetdicom" else "--quiet")
        assert (done.code, done.err.count("\n")) == (7, 1)
        assert "the extra 'dicom'" in done.err


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["missing"], 2, "the watched folder does not exist"),
        (["in", "--send-to", "PACS"], 2, "expected AETITLE@HOST:PORT"),
        (["in", "--send-to", "dicomweb:ftp://pacs"], 2, "expected AETITLE@HOST:PORT"),
        (["in", "-ot", "png"], 2, "unknown output type 'png'"),
    ],
)
def test_options_of_watch_are_checked_before_the_network_is_loaded(
    command, segmenter, tmp_path, monkeypatch, options, code: int, message: str
) -> None:
    (tmp_path / "in").mkdir()
    monkeypatch.chdir(tmp_path)
    done = command("watch", options[0], "out", *options[1:])
    assert (done.code, done.err.count("\n")) == (code, 1), done.err
    assert message in done.err
    assert segmenter.loads == 0
