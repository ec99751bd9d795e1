"""Take the pictures of the viewer in the documentation: a real server, the bundled network, phantoms, and Chromium.

    python scripts/docs_viewer_pictures.py [FOLDER]

No patient is shown in any of them. It takes about a minute.
"""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

import rma_mamba
from rma_mamba.datasets.phantom import make_phantom
from rma_mamba.server.access_control import AccessRules
from rma_mamba.server.serve_options import ServeOptions
from rma_mamba.server.web_server import Binding, WebServer
from rma_mamba.volume import Geometry, Volume

OUT = Path(__file__).parents[1] / "docs" / "images"
SIZE = {"width": 1280, "height": 720}
WEBP_QUALITY = 78


def main() -> None:
    """Take all pictures into docs/images, or into the folder of the command line."""
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else OUT
    with tempfile.TemporaryDirectory() as folder:
        scans = Path(folder) / "scans"
        scans.mkdir()
        write_phantoms(scans)
        rules = AccessRules()
        server = WebServer(ServeOptions(scans), Binding(), rules)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.is_ready:
            time.sleep(0.05)
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=shutil.which("chromium"), args=["--no-sandbox"]
                )
                page = browser.new_page(viewport=SIZE, color_scheme="dark")
                page.set_default_timeout(300_000)
                take(page, f"{server.address}/?token={rules.token}", out)
                browser.close()
        finally:
            server.stop()
            thread.join()


def write_phantoms(folder: Path) -> None:
    """Three phantoms; the field of view of one ends within the liver."""
    rma_mamba.write_scan(make_phantom(1, contrast="mr_t2").volume, folder / "mr_t2.nii.gz")
    rma_mamba.write_scan(make_phantom(2, contrast="ct").volume, folder / "ct.nii.gz")
    whole = make_phantom(5, contrast="mr_t2").volume
    values = whole.values[:, :, :23]
    rma_mamba.write_scan(
        Volume(values, Geometry(values.shape, whole.geometry.affine), "MR"), folder / "cut.nii.gz"
    )


def take(page: Any, address: str, out: Path) -> None:
    """Go through the viewer as a reader would, and take a picture of each step."""
    page.goto(address)
    page.wait_for_selector("html[data-ready]")
    shoot(page, out / "viewer-start.webp")
    page.get_by_role("button", name="Open from the server's folder").click()
    for name in ("mr_t2", "ct", "cut"):
        page.evaluate("location.hash = '#/'")
        page.wait_for_timeout(500)
        if page.locator("dialog").count() == 0:
            page.get_by_role("button", name="Open from the server's folder").click()
        page.locator("dialog").get_by_text(name).first.click()
        page.wait_for_selector(".slice-canvas, .progress")
        page.wait_for_selector(".slice-canvas")
    page.keyboard.press("f")
    settle(page)
    shoot(page, out / "viewer-findings.webp")
    open_case(page, "Case 2")
    decide(page, "accepted")
    open_case(page, "Case 1")
    decide(page, "accepted")
    settle(page)
    correct(page, lambda: shoot(page, out / "viewer-correct.webp"))
    page.keyboard.press("Control+s")
    page.wait_for_selector("text=Saved as version 2")
    show_list(page)
    settle(page)
    shoot(page, out / "viewer-work-list.webp")


def show_list(page: Any) -> None:
    """Go to the work list, with the pointer on none of its rows."""
    page.evaluate("location.hash = '#/'")
    page.wait_for_selector("tr[data-case]")
    page.mouse.move(2, 2)


def open_case(page: Any, name: str) -> None:
    """Open a case from the work list."""
    show_list(page)
    page.get_by_role("link", name=name).click()
    page.wait_for_selector(".slice-canvas")


def decide(page: Any, state: str) -> None:
    """Record a decision."""
    page.get_by_role("tab", name="Review").click()
    page.locator(f"button[data-state={state}]").click()
    page.wait_for_selector(f".bar .state[data-state={state}]")


def correct(page: Any, shoot_now: Callable[[], None]) -> None:
    """Draw a stroke, with the mask filled."""
    page.keyboard.press("o")
    page.keyboard.press("l")
    page.keyboard.press("b")
    box = page.locator("canvas[data-view=axial]").bounding_box()
    x, y = box["x"] + box["width"] * 0.38, box["y"] + box["height"] * 0.70
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 50, y + 12, steps=8)
    page.mouse.up()
    settle(page)
    shoot_now()


def settle(page: Any) -> None:
    """Wait until surface and figures have followed, and messages have disappeared."""
    page.wait_for_timeout(4000)
    page.wait_for_selector(".toast", state="detached")


def shoot(page: Any, path: Path) -> None:
    """Write what the window shows."""
    Image.open(io.BytesIO(page.screenshot())).convert("RGB").save(
        path, quality=WEBP_QUALITY, method=6
    )


if __name__ == "__main__":
    main()
