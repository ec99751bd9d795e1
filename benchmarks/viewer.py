"""Measure the viewer as a reader sees it: a real server, the bundled network, phantoms, and Chromium on this machine.

    python benchmarks/viewer.py                       # everything: six minutes on two cores
    python benchmarks/viewer.py ct                    # one part: mr, ct or memory
    python benchmarks/viewer.py --scans FOLDER        # keeps the phantoms; that of the CT takes two minutes
    python benchmarks/viewer.py --write docs/explanation/performance.md

"From drop to mask" begins when the file is chosen on the page, and ends when scan and mask are drawn; the network was
loaded before. Slices and strokes are timed from the event to the end of the frame that shows it. Memory is the
proportional set size of the server and its processes, without the browser, once they are idle.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from measure import machine, table
from playwright.sync_api import sync_playwright

from rma_mamba.datasets.phantom import make_phantom
from rma_mamba.scans import write_scan

START, END = "<!-- viewer -->", "<!-- end of viewer -->"
SCANS: dict[str, dict[str, Any]] = {
    "mr": {"contrast": "mr_t2"},
    "ct": {"contrast": "ct", "shape": (512, 512, 200), "spacing_mm": (0.75, 0.75, 1.2)},
}
PARTS = ("mr", "ct", "memory")
NAMES = {"mr": "MR, 256 x 256 x 36", "ct": "CT, 512 x 512 x 200"}
LIMITS_S = {"mr": 8, "ct": 45}
LIMIT_MIB = 700
IDLE_S = 80  # until processes that have nothing to do have ended
STEPS = 60

# Press a key, and wait until the next frame was drawn; the times of all in ms.
_SLICES = """async (count) => {
  const canvas = document.querySelector("canvas[data-view=axial]");
  const times = [];
  canvas.focus();
  for (let n = 0; n < count; n += 1) {
    const start = performance.now();
    canvas.dispatchEvent(new KeyboardEvent("keydown", { key: n % 30 < 15 ? "ArrowUp" : "ArrowDown", bubbles: true }));
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)));
    times.push(performance.now() - start);
  }
  return times;
}"""

# One stroke of the brush with many points; the time of each point in ms.
_STROKE = """async (count) => {
  const canvas = document.querySelector("canvas[data-view=axial]");
  const box = canvas.getBoundingClientRect();
  const times = [];
  canvas.setPointerCapture = () => {};
  const send = (kind, x, y) => canvas.dispatchEvent(new PointerEvent(kind, {
    pointerId: 1, clientX: box.left + x, clientY: box.top + y, button: 0, buttons: 1, bubbles: true, isPrimary: true,
  }));
  const [x, y] = [box.width / 2, box.height / 2];
  send("pointerdown", x, y);
  for (let n = 0; n < count; n += 1) {
    const start = performance.now();
    send("pointermove", x + (n % 40) * 2, y + n % 17);
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)));
    times.push(performance.now() - start);
  }
  send("pointerup", x, y);
  return times;
}"""

Row = list[object]


@dataclass(frozen=True)
class Server:
    """A server that was started by its command.

    Args:
        process: Its process.
        link: The link that it has printed.
        seconds: From the start of the command to the link.
    """

    process: subprocess.Popen[str]
    link: str
    seconds: float

    @property
    def cpu_s(self) -> float:
        """Processor time of its processes so far."""
        return sum(_cpu_s(pid) for pid in _family(self.process.pid))

    @property
    def mib(self) -> float:
        """Proportional set size of its processes."""
        return sum(_pss_kib(pid) for pid in _family(self.process.pid)) / 1024


@contextmanager
def serve() -> Iterator[Server]:
    """Run `rma-mamba serve` on an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "rma_mamba", "serve", folder, "--no-browser"]
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            link = process.stdout.readline().strip() if process.stdout else ""
            yield Server(process, link, time.perf_counter() - started)
        finally:
            process.terminate()
            process.wait()


@contextmanager
def open_page(link: str) -> Iterator[tuple[Any, float]]:
    """A window with the viewer, and the seconds until it can be used."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        page.set_default_timeout(300_000)
        started = time.perf_counter()
        page.goto(link)
        page.wait_for_selector("html[data-ready]")
        yield page, time.perf_counter() - started
        browser.close()


def time_scan(kind: str, scan: Path) -> list[Row]:
    """Rows of a scan: page, from drop to mask, slices, strokes."""
    name = NAMES[kind]
    with serve() as server, open_page(server.link) as (page, ready_s):
        _wait_until_idle(server)
        started, worked_s = time.perf_counter(), server.cpu_s
        page.set_input_files("input[type=file] >> nth=0", scan)
        page.wait_for_selector("html[data-case] .slice-canvas")
        drop_s, worked_s = time.perf_counter() - started, server.cpu_s - worked_s
        page.wait_for_timeout(4000)  # the surface in 3-D is computed meanwhile
        slices = page.evaluate(_SLICES, STEPS)
        page.keyboard.press("b")
        strokes = page.evaluate(_STROKE, STEPS)
    return [
        [f"{name}: page can be used", f"{ready_s:.2f} s", "2 s"],
        [f"{name}: from drop to mask", f"{drop_s:.1f} s", f"{LIMITS_S[kind]} s"],
        [f"{name}: processor time of the server for it", f"{worked_s:.1f} s", ""],
        [f"{name}: next slice", _milliseconds(slices), "50 ms"],
        [f"{name}: point of a stroke", _milliseconds(strokes), "100 ms"],
    ]


def weigh(scan: Path) -> list[Row]:
    """Rows of memory: after the start, and after a scan, once the server is idle."""
    with serve() as server:
        _wait_until_idle(server)
        first = server.mib
        with open_page(server.link) as (page, _):
            page.set_input_files("input[type=file] >> nth=0", scan)
            page.wait_for_selector("html[data-case] .slice-canvas")
        time.sleep(IDLE_S)
        after = server.mib
    limit = f"{LIMIT_MIB} MiB"
    return [
        ["memory of the idle server, network loaded", f"{first:.0f} MiB", limit],
        ["the same after a scan", f"{after:.0f} MiB", limit],
        ["start of the command, until the link is printed", f"{server.seconds:.1f} s", ""],
    ]


def phantom(kind: str, folder: Path) -> Path:
    """The scan of a part, written once."""
    path = folder / f"{kind}.nii.gz"
    if not path.exists():
        write_scan(make_phantom(5, **SCANS[kind]).volume, path)
    return path


def measure(part: str, folder: Path) -> list[Row]:
    """The rows of a part."""
    if part == "memory":
        return weigh(phantom("mr", folder))
    return time_scan(part, phantom(part, folder))


def _milliseconds(times: list[float]) -> str:
    return f"{median(times):.0f} ms ({quantiles(times, n=10)[-1]:.0f})"


def _wait_until_idle(server: Server, quiet_s: float = 1.0) -> None:
    """Wait until the processes of a server, which load the network, have used no processor time for a while."""
    before, since = -1.0, time.monotonic()
    while time.monotonic() - since < quiet_s:
        time.sleep(0.2)
        used = server.cpu_s
        if used > before + 0.02:
            before, since = used, time.monotonic()


def _family(root: int) -> list[int]:
    """A process and all processes that it has started."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (stat := _stat(int(entry.name))):
            parents[int(entry.name)] = int(stat[1])
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def _stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat after the name; none if the process has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _cpu_s(pid: int) -> float:
    stat = _stat(pid)
    return sum(map(int, stat[11:13])) / os.sysconf("SC_CLK_TCK") if stat else 0.0


def _pss_kib(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def main() -> None:
    """Run the selected parts, and print or write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="part", help="any of mr, ct, memory")
    parser.add_argument("--scans", type=Path, help="Folder in which phantoms are kept")
    parser.add_argument("--write", type=Path, help="Markdown file with the markers of the table")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"unknown part {', '.join(sorted(unknown))}; expected mr, ct or memory")
    with tempfile.TemporaryDirectory() as folder:
        scans = options.scans or Path(folder)
        rows = [row for part in options.parts or PARTS for row in measure(part, scans)]
    command = " ".join(["python benchmarks/viewer.py", *options.parts])
    text = (
        f"Measured on {date.today()} on {machine()} with `{command}`. Times of slices and strokes are "
        f"medians, with the 90th percentile in parentheses.\n\n{table(['', 'measured', 'limit'], rows)}\n"
    )
    print(text)
    if options.write:
        before, _, rest = options.write.read_text().partition(START)
        after = rest.partition(END)[2]
        options.write.write_text(f"{before}{START}\n{text}{END}{after}")


if __name__ == "__main__":
    main()
