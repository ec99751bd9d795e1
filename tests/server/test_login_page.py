"""The login page in a real browser, over TLS: the right password opens the viewer, a wrong one is named."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from browser import Page, chromium
from certificates import certificate
from rma_mamba.server.access_control import AccessRules
from rma_mamba.server.serve_options import ServeOptions
from rma_mamba.server.web_server import Binding, WebServer

PASSWORD = "correct horse + bättery"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[WebServer]:
    cert, key = certificate(tmp_path, "server")
    binding = Binding(certificate=cert, key=key)
    options = ServeOptions(results=tmp_path / "results", preload=False)
    server = WebServer(options, binding, AccessRules(password=PASSWORD))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.is_ready:
        assert thread.is_alive()
        time.sleep(0.01)
    yield server
    server.stop()
    thread.join()


def test_the_right_password_opens_the_viewer_and_a_wrong_one_is_named(server: WebServer) -> None:
    with chromium() as browser:
        window = Page(browser.new_context(ignore_https_errors=True).new_page())
        window.page.goto(server.address)
        assert not window.page.get_by_role("alert").is_visible()
        window.page.get_by_label("Password").fill("not this password")
        window.page.get_by_role("button").click()
        assert "password is wrong" in window.page.get_by_role("alert").inner_text()
        window.page.get_by_label("Password").fill(PASSWORD)
        window.page.keyboard.press("Enter")
        window.page.wait_for_selector("html[data-ready]")
        window.page.reload()
        window.page.wait_for_selector("html[data-ready]")
        assert {url.split("/")[2] for url in window.requests} == {server.address.split("/")[2]}
        assert window.errors == []
