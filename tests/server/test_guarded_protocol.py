"""Connections that send nothing, or a request in tiny pieces, do not keep others out."""

import socket
import time
from collections.abc import Iterator

import pytest

from rma_mamba.server import guarded_protocol
from viewer_server import Viewer, viewer


@pytest.fixture
def hasty(weights, tmp_path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Viewer]:
    monkeypatch.setattr(guarded_protocol, "HEAD_S", 0.3)
    monkeypatch.setattr(guarded_protocol, "MOST_CONNECTIONS", 20)
    with viewer(weights, None, tmp_path) as running:
        yield running


def connect(server: Viewer) -> socket.socket:
    url = server.client.base_url
    connection = socket.create_connection((url.host, url.port), timeout=10)
    connection.settimeout(10)
    return connection


def is_closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


def test_an_incomplete_head_is_closed_after_the_time_limit(hasty: Viewer) -> None:
    silent, slow = connect(hasty), connect(hasty)
    begun = time.monotonic()
    slow.sendall(b"GET / HTTP/1.1\r\nHost: ")
    with silent, slow:
        for _ in range(4):  # each piece does not extend the time
            time.sleep(0.05)
            slow.sendall(b"x")
        assert is_closed(silent)
        assert is_closed(slow)
    assert 0.2 < time.monotonic() - begun < 5


def test_many_idle_connections_do_not_keep_others_out(hasty: Viewer) -> None:
    idle = [connect(hasty) for _ in range(60)]
    assert hasty.client.get("/api/info").status_code == 200
    for connection in idle:
        connection.close()


def test_a_second_request_on_a_connection_has_the_same_limit(hasty: Viewer) -> None:
    head = f"GET /api/info HTTP/1.1\r\nHost: {hasty.client.base_url.netloc.decode()}\r\n"
    with connect(hasty) as connection:
        connection.sendall(f"{head}Authorization: Bearer {hasty.rules.token}\r\n\r\n".encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        connection.sendall(head.encode())
        begun = time.monotonic()
        while connection.recv(4096):
            pass
        assert time.monotonic() - begun < 5


def test_a_large_body_of_a_small_request_is_rejected(hasty: Viewer) -> None:
    answer = hasty.client.post("/api/open", content=b'{"path": "' + b"x" * 2**17 + b'"}')
    assert answer.status_code == 413
    assert "64 KiB" in answer.json()["error"]
