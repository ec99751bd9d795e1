"""A listener under attack: silence, endless packets and too many callers do not keep others from sending."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from archive import associated, echo, send, until
from orthanc import free_port
from quick_node import study
from rma_mamba.server.node import connection_guard
from rma_mamba.server.node.audit_log import AuditLog
from rma_mamba.server.node.config import load_config
from rma_mamba.server.node.dimse_listener import DimseListener
from rma_mamba.server.node.node import open_store
from rma_mamba.server.node.node_metrics import NoMetrics
from rma_mamba.server.node.work_queue import WorkQueue

pytestmark = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # pynetdicom's sockets
P_DATA, REQUEST = 4, 1  # types of PDUs


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A listener without a node."""
    folder = tmp_path_factory.mktemp("listener")
    number = free_port()
    (folder / "node.toml").write_text(
        f'[listener]\nport = {number}\nfolder = "queue"\nmin_free_gb = 0\nmax_associations = 3\n'
        '[[callers]]\nae_title = "CT1"\n'
        '[[destinations]]\nae_title = "PACS"\nhost = "127.0.0.1"\nport = 9\n'
    )
    config = load_config(folder / "node.toml")
    queue = WorkQueue(config.listener.folder)
    audit = AuditLog(config.listener.folder / "audit.jsonl")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tempfile.tempdir", None)
        listener = DimseListener(config, open_store(queue), NoMetrics(), audit)
        listener.start()
        yield number
        listener.stop()
    queue.close()


def connected(port: int, address: str = "127.0.0.1") -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), 30, (address, 0))


def is_closed(connection: socket.socket, seconds: float = 0.01) -> bool:
    """Whether the other side closes a connection within some time."""
    connection.settimeout(seconds)
    try:
        while connection.recv(1000):
            pass
    except ConnectionResetError:
        pass
    except TimeoutError:
        return False
    return True


def test_silent_connections_are_closed_and_do_not_count(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_guard, "MOST_SILENT", 8)
    with ExitStack() as open_ones:
        silent = [open_ones.enter_context(connected(port, "127.0.0.2")) for _ in range(30)]
        assert echo(port)
        until(lambda: sum(is_closed(each) for each in silent) >= 22)


def test_a_request_that_never_ends_is_closed(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_guard, "NEGOTIATION_SECONDS", 0.3)
    with connected(port) as slow:
        slow.sendall(struct.pack(">BBL", REQUEST, 0, 200) + b"\0\1")
        assert is_closed(slow, 30)


@pytest.mark.parametrize("kind", [REQUEST, P_DATA])
def test_a_packet_that_is_longer_than_agreed_is_not_read(port: int, kind: int) -> None:
    with connected(port) as greedy:
        greedy.sendall(struct.pack(">BBL", kind, 0, 2**32 - 1) + bytes(1000))
        assert is_closed(greedy, 30)
    assert echo(port)


def test_garbage_closes_its_connection_only(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_guard, "NEGOTIATION_SECONDS", 0.3)
    with connected(port) as other:
        other.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert is_closed(other, 30)
    monkeypatch.undo()
    assert echo(port)


def test_more_associations_than_allowed_are_rejected_until_one_ends(port: int) -> None:
    with ExitStack() as open_ones:
        for _ in range(3):
            open_ones.enter_context(associated(port))
        assert not echo(port)
    until(lambda: echo(port))


def test_images_of_a_sender_with_small_packets_arrive(port: int, tmp_path: Path) -> None:
    files = study(tmp_path / "in")
    until(lambda: echo(port))
    assert send(files, port, max_pdu=4096) == [0] * len(files)
