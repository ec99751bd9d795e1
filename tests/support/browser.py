"""The browser of the system, and the page of the viewer in it as a reader sees it."""

from __future__ import annotations

import base64
import importlib.resources
import io
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from PIL import Image

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
NO_SANDBOX = "--no-sandbox"  # tests run as root in containers
MARGIN = 4  # pixels around an image that fills its pane

_DROP = """([name, content, times]) => {
  const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name));
  for (let n = 0; n < times; n += 1) {
    document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true }));
  }
}"""


@contextmanager
def chromium() -> Iterator[Any]:
    """A headless browser; skips where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("there is no chromium on this machine")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=[NO_SANDBOX])
        yield browser
        browser.close()


@dataclass
class Page:
    """A window with the viewer, and every request and every error of it."""

    page: Any
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(60_000)
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def open(self, address: str) -> None:
        """Open the viewer, and wait until it can be used."""
        self.page.goto(address)
        self.page.wait_for_selector("html[data-ready]")

    def open_case(self, case: str) -> None:
        """Open a case that was segmented."""
        self.page.evaluate("id => { location.hash = `#/case/${id}`; }", case)
        self.shown(case)

    def shown(self, case: str) -> None:
        """Wait until scan and mask of a case are shown."""
        self.page.wait_for_selector(f"html[data-case='{case}'] .slice-canvas")
        self.until("document.querySelector('.slice-position').textContent !== ''")

    def until(self, expression: str) -> None:
        """Wait until an expression is true; Playwright's own wait needs `eval`, which the page does not allow."""
        for _ in range(3000):
            if self.page.evaluate(expression):
                return
            self.page.wait_for_timeout(20)
        raise AssertionError(f"this did not become true: {expression}")

    def drop(self, name: str, content: bytes, times: int = 1) -> None:
        """Drop a file on the page, once or several times at once."""
        self.page.evaluate(_DROP, [name, base64.b64encode(content).decode(), times])

    def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            self.page.keyboard.press(key)

    def pixels(self, view: str) -> np.ndarray[Any, Any]:
        """What a pane shows: uint8 (row, column, red green blue)."""
        self.page.wait_for_timeout(120)  # the next frame is on the screen
        canvas = self.page.locator(f"canvas[data-view={view}]")
        return np.asarray(Image.open(io.BytesIO(canvas.screenshot())).convert("RGB")).astype(int)

    def box(self, view: str = "axial") -> dict[str, float]:
        """Place of a pane in the window."""
        box: dict[str, float] = self.page.locator(f"canvas[data-view={view}]").bounding_box()
        return box

    def slice_number(self, view: str = "axial") -> int:
        """Number of the slice in a pane, from 1."""
        words = self.page.locator(f"[data-pane={view}] .slice-position").inner_text()
        return int(words.split("/")[0])

    def axe(self) -> list[str]:
        """Serious faults of accessibility, found by axe-core."""
        self.page.evaluate(axe_source())
        found = self.page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
        return [
            f"{fault['id']}: {fault['nodes'][0]['html'][:120]}"
            for fault in found["violations"]
            if fault["impact"] in ("serious", "critical")
        ]


@dataclass(frozen=True)
class AxialPane:
    """Where the voxels of a scan in RAS orientation lie in the axial pane.

    The right of the patient is on the left, the front is up, and the image fills the pane except for a margin.
    """

    box: dict[str, float]
    shape: tuple[int, int]
    spacing_mm: tuple[float, float]

    @property
    def pixels_per_mm(self) -> float:
        """Scale."""
        width, height = (n * mm for n, mm in zip(self.shape, self.spacing_mm, strict=True))
        room = self.box["width"] - 2 * MARGIN, self.box["height"] - 2 * MARGIN
        return min(room[0] / width, room[1] / height)

    def at(self, i: float, j: float) -> tuple[float, float]:
        """Position in the pane of the centre of a voxel."""
        columns, rows = self.shape[0] - 1 - i + 0.5, self.shape[1] - 1 - j + 0.5
        scale = self.pixels_per_mm
        x = self.box["width"] / 2 + (columns - self.shape[0] / 2) * self.spacing_mm[0] * scale
        y = self.box["height"] / 2 + (rows - self.shape[1] / 2) * self.spacing_mm[1] * scale
        return x, y

    def on_page(self, i: float, j: float) -> tuple[float, float]:
        """Position in the window of the centre of a voxel."""
        x, y = self.at(i, j)
        return self.box["x"] + x, self.box["y"] + y


def axe_source() -> str:
    """The script of axe-core, which the Python package of that name for Playwright contains."""
    package = importlib.resources.files("axe_playwright_python")
    return package.joinpath("axe.min.js").read_text(encoding="utf-8")
