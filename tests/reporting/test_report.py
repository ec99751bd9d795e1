"""A report is whole by itself, shows what it was given and no more, and escapes it."""

import base64
import json
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from rma_mamba.reporting import Flag, Quality
from rma_mamba.reporting.mesh import small_mesh
from rma_mamba.reporting.pdf import _Pages
from rma_mamba.reporting.report import Report, render_html, write_html, write_pdf
from rma_mamba.volume import Mask

STATISTICS = {
    "volume_ml": 1512.3456,
    "extent_mm": {"right_to_left": 201.5},
    "touches_border": [],
    "surface_area_cm2": 712.0,
    "warnings": ["Something was repaired.", "A flag says it."],
}
RUN = {
    "rma_mamba": "0.1.0",
    "input_sha256": "ab" * 32,
    "settings": {"fast": False},
    "files": {"x": "y"},
}


@pytest.fixture
def report(scene) -> Report:
    flags = (
        Flag("odd", "<script>alert('A flag')</script>", "yellow"),
        Flag("said", "A flag says it.", "red"),
    )
    return Report(scene.volume, scene.mask, Quality(flags, 0.91), STATISTICS, RUN)


class Page(HTMLParser):
    """The elements of a page, its text, and whether all of them are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.text.append(data)


def test_the_page_needs_nothing_from_elsewhere(report: Report) -> None:
    text = render_html(report)
    page = Page(text)
    assert page.open == []
    for tag, attributes in page.elements:
        assert tag not in ("link", "iframe", "object", "base", "form")
        for name in ("src", "href", "srcset", "action"):
            assert (attributes.get(name) or "data:").startswith("data:")
    assert not re.search(r"https?://|url\(|@import|fetch\(|XMLHttp|WebSocket", text)


def test_what_comes_from_outside_is_escaped_and_shown(report: Report) -> None:
    page = Page(render_html(report))
    text = " ".join(" ".join(page.text).split())
    assert "<script>alert('A flag')</script>" in text  # as text
    assert sum(tag == "script" for tag, _ in page.elements) == 3
    for shown in (
        "Volume (mL) 1,512.3",
        "Extent (mm), right to left 201.5",
        "Touches border none",
        "Surface area (cm²) 712",
        "Input SHA-256 " + "ab" * 32,
        "Settings, fast no",
        "Dice of about 0.91",
        "Something was repaired.",
    ):
        assert shown in text
    assert text.count("A flag says it.") == 1


def test_equal_cases_give_equal_files_without_a_date(report: Report, tmp_path: Path) -> None:
    for name, write in (("a.html", write_html), ("a.pdf", write_pdf)):
        write(report, tmp_path / name)
        first = (tmp_path / name).read_bytes()
        write(report, tmp_path / name)
        assert (tmp_path / name).read_bytes() == first
        assert not re.search(rb"Date|20\d\d-\d\d-\d\d", first)
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF-")


def test_many_measurements_run_over_to_more_pages(report: Report, tmp_path: Path) -> None:
    many = {f"number_{n}_mm": "a long text " * 20 for n in range(60)}
    write_pdf(replace(report, statistics=many), tmp_path / "long.pdf")
    assert (tmp_path / "long.pdf").read_bytes().count(b"/Type /Page ") > 1


@pytest.mark.parametrize("lines", range(60))
def test_no_heading_of_the_pdf_stands_alone_at_the_end_of_a_page(lines: int) -> None:
    pages = _Pages()
    pages.down(lines)
    pages.heading("What ran")
    pages.table([("Model", "default")])
    assert "What ran" in [text.get_text() for text in pages.page.texts] or not pages.page.texts
    assert all(page.texts[-1].get_text() != "What ran" for page in pages.pages if page.texts)


def test_an_empty_mask_has_a_report_without_a_surface(report: Report, tmp_path: Path) -> None:
    empty = Mask(0 * report.mask.labels, report.mask.geometry)
    page = Page(render_html(replace(report, mask=empty)))
    assert "There is no liver to show." in " ".join(page.text)
    assert not any(tag in ("script", "canvas") for tag, _ in page.elements)
    write_pdf(replace(report, mask=empty), tmp_path / "empty.pdf")


def test_the_surface_encloses_the_liver_from_outside(scene) -> None:
    found = small_mesh(scene.mask)
    corners = found.points_mm[found.triangles].astype(float)
    signed_mm3 = np.einsum("ij,ij->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6
    assert signed_mm3 / 1000 == pytest.approx(scene.mask.volume_ml, rel=0.1)
    sizes_mm = found.points_mm.max(axis=0) - found.points_mm.min(axis=0)
    np.testing.assert_allclose(sizes_mm, (36, 50, 60), atol=4)  # left, back, up


def test_left_back_and_up_run_where_they_say(scene) -> None:
    labels = np.zeros_like(scene.mask.labels)
    labels[34:52, 15:40, 8:20] = 1
    labels[20:34, 15:20, 8:10] = 1  # a thin piece to the left (low i), the back (low j), the foot
    points = small_mesh(Mask(labels, scene.mask.geometry)).points_mm
    thin = points[points[:, 0] > points[:, 0].max() - 10]
    assert thin[:, 1].mean() > 0
    assert thin[:, 2].mean() < 0


@pytest.mark.skipif(shutil.which("node") is None, reason="node, which runs the script, is missing")
def test_the_script_draws_the_surface(report: Report, tmp_path: Path) -> None:
    page = render_html(report)
    points, triangles = (
        re.search(rf'id="{name}">([^<]*)<', page)[1]  # type: ignore[index]
        for name in ("points", "triangles")
    )
    script = (files("rma_mamba.reporting") / "templates" / "report.js").read_text()
    call = f"""
    const mesh = makeMesh({json.dumps(points)}, {json.dumps(triangles)});
    const seen = [[0, 0], [0, 1.5], [1.2, 0.4]].map(([yaw, pitch]) =>
      Buffer.from(render(mesh, yaw, pitch, 64, 64)).toString("base64"));
    console.log(JSON.stringify(seen));
    """
    (tmp_path / "draw.js").write_text(script + call)
    done = subprocess.run(
        ["node", tmp_path / "draw.js"], capture_output=True, text=True, check=True, timeout=60
    )
    pictures = [
        np.frombuffer(base64.b64decode(each), np.uint8).reshape(64, 64, 4)
        for each in json.loads(done.stdout)
    ]
    front = pictures[0][..., 0] > 20
    rows, columns = (np.flatnonzero(front.any(axis=axis)) for axis in (1, 0))
    assert np.ptp(rows) / np.ptp(columns) == pytest.approx(60 / 36, rel=0.1)  # up by left
    assert front[32, 32]
    assert not np.array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[1], pictures[2])


@pytest.mark.skipif(shutil.which("node") is None, reason="node, which runs the script, is missing")
@pytest.mark.parametrize(
    ("yaw", "pitch", "seen"),  # letters at the left, right, upper and lower edge
    [
        (0, 0, "RLSI"),  # from the front
        (np.pi / 2, 0, "APSI"),  # from the patient's left
        (-np.pi / 2, 0, "PASI"),  # from the right
        (np.pi, 0, "LRSI"),  # from the back
        (0, np.pi / 2, "RLPA"),  # from the head
    ],
)
def test_the_letters_turn_with_the_surface(
    tmp_path: Path, yaw: float, pitch: float, seen: str
) -> None:
    script = (files("rma_mamba.reporting") / "templates" / "report.js").read_text()
    call = f"console.log(JSON.stringify(sides({yaw}, {pitch}, 100, 100)));"
    (tmp_path / "sides.js").write_text(script + call)
    done = subprocess.run(
        ["node", tmp_path / "sides.js"], capture_output=True, text=True, check=True, timeout=60
    )
    letters = json.loads(done.stdout)
    assert len(letters) == 4
    found = (
        min(letters, key=lambda each: each["x"]),
        max(letters, key=lambda each: each["x"]),
        min(letters, key=lambda each: each["y"]),
        max(letters, key=lambda each: each["y"]),
    )
    assert "".join(each["name"] for each in found) == seen
