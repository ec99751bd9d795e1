"""A report is self-contained, shows what it was given and nothing else, and escapes it."""

import base64
import io
import itertools
import json
import re
import shutil
import subprocess
import sys
from dataclasses import fields, replace
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from rma_mamba.conventions import LIVER_RGB
from rma_mamba.reporting import Flag, Quality, Quantities
from rma_mamba.reporting.case_notes import CaseNotes
from rma_mamba.reporting.display_mesh import display_mesh
from rma_mamba.reporting.report import _LABELS, Report
from rma_mamba.reporting.report_html import render_html, write_html
from rma_mamba.reporting.report_pdf import _Pages, layout, write_pdf
from rma_mamba.volume import Mask

STATISTICS = {
    "volume_ml": 1512.3456,
    "extent_mm": {"right_to_left": 201.5},
    "touches_border": [],
    "cut_inferior_mm2": 1360.0,
    "voxel_inferior_to_superior_mm": 5.0,
    "surface_area_cm2": 712.0,
}
WARNINGS = ("Something was repaired.", "A flag says it.")
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
        Flag("repeated", "A flag says it.", "red"),
    )
    notes = CaseNotes("MR", "header", Quality(flags, 0.91), WARNINGS)
    return Report(scene.volume, scene.mask, notes, STATISTICS, RUN)


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
        if tag not in ("meta", "img", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.text.append(data)


def test_the_page_loads_nothing_from_elsewhere(report: Report) -> None:
    text = render_html(report)
    page = Page(text)
    assert page.open == []
    for tag, attributes in page.elements:
        assert tag not in ("link", "iframe", "object", "base", "form")
        for name in ("src", "href", "srcset", "action"):
            assert (attributes.get(name) or "data:").startswith("data:")
    assert not re.search(r"https?://|url\(|@import|fetch\(|XMLHttp|WebSocket", text)


def test_values_are_escaped_and_shown(report: Report) -> None:
    page = Page(render_html(report))
    text = " ".join(" ".join(page.text).split())
    assert "<script>alert('A flag')</script>" in text  # as text
    assert sum(tag == "script" for tag, _ in page.elements) == 4
    for shown in (
        "Volume (mL) 1,512.3",
        "Extent (mm), right to left 201.5",
        "Reaches the edge of the scan none",
        "Surface area (cm²) 712",
        "Area cut off by the inferior edge (mm²) 1,360",
        "Voxel size, inferior to superior (mm) 5",
        "Input SHA-256 " + "ab" * 32,
        "Settings, fast no",
        "Estimated Dice 0.91.",
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


def luminance(colour: str) -> float:
    """Relative luminance of #rgb or #rrggbb (WCAG 2.1)."""
    digits = colour.lstrip("#")
    digits = "".join(2 * each for each in digits) if len(digits) == 3 else digits
    parts = np.frombuffer(bytes.fromhex(digits), np.uint8) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one: str, other: str) -> float:
    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_legible_in_light_and_dark_mode(scheme: str) -> None:
    style = (files("rma_mamba.reporting") / "templates" / "report.css").read_text()
    light = style.split("@media")[0]
    (dark,) = re.findall(r"@media \(prefers-color-scheme: dark\) \{(.*?)\n\}", style, flags=re.S)
    used = light + (dark if scheme == "dark" else "")
    colours = dict(re.findall(r"--([\w-]+): (#\w+)", used))  # the last one counts
    assert (luminance(colours["paper"]) < 0.1) == (scheme == "dark")
    for text in ("ink", "faint"):
        for paper in ("paper", "box"):
            assert contrast(colours[text], colours[paper]) >= 4.5, (text, paper)  # WCAG 1.4.3, AA
    for light_colour in ("green", "yellow", "red"):
        assert contrast(colours["on-light"], colours[light_colour]) >= 4.5
    assert "color-scheme: light dark" in style
    assert contrast("#777", "#888") < 4.5  # the comparison can fail


def test_each_slice_can_fill_the_screen_by_touch_and_keyboard_without_a_script(report) -> None:
    text = render_html(report)
    page = Page(text)
    images = [attributes for tag, attributes in page.elements if tag == "img"]
    boxes = [attributes for tag, attributes in page.elements if tag == "input"]
    assert len(images) == len(boxes) == 13
    assert all(
        box["type"] == "checkbox" and "fill the screen" in box["aria-label"] for box in boxes
    )
    assert len({image["alt"] for image in images}) == 13
    for image in images:
        content = base64.b64decode(image["src"].removeprefix("data:image/jpeg;base64,"))
        assert max(Image.open(io.BytesIO(content)).size) >= 600
    assert re.search(r"\.slice input:checked \+ span \{[^}]*position: fixed", text)
    assert re.search(r"\.slice:focus-within \{[^}]*outline", text)
    assert not re.search(r"\.slice input \{[^}]*display: none", text)  # or no key could reach it


def test_slices_of_an_empty_mask_can_be_enlarged_too(report: Report) -> None:
    empty = Mask(0 * report.mask.labels, report.mask.geometry)
    assert render_html(replace(report, mask=empty)).count('type="checkbox"') == 13


@pytest.mark.parametrize("count", [0, 5, 10, 15, 20, 30, 45])
@pytest.mark.parametrize("rows", [5, 25, 70])
def test_no_page_of_the_pdf_is_nearly_empty(report: Report, count: int, rows: int) -> None:
    found = tuple(f"Warning {number}: " + "something was repaired. " * 4 for number in range(count))
    statistics = {f"number_{number}_mm": 1.5 for number in range(rows)}
    long = replace(report, notes=replace(report.notes, warnings=found), statistics=statistics)
    pages = layout(long, np.zeros((560, 1480, 3), np.uint8))
    assert pages.ends_well
    for page in pages.filled:
        lowest = min(text.get_position()[1] for text in page.texts)
        assert lowest < 0.95 - 0.9 / 4 or page.axes
    shown = {text.get_text() for page in pages.filled for text in page.texts}
    assert {"Measurements", "Provenance", "1.5"} <= shown


def test_columns_of_the_pdf_do_not_overlap(report: Report) -> None:
    pages = _Pages()
    pages.tables(
        {"Measurements": [("long name " * 9, "value " * 9)], "Provenance": [("n" * 99, "v" * 99)]}
    )
    canvas = FigureCanvasAgg(pages.page)
    boxes = [text.get_window_extent(canvas.get_renderer()) for text in pages.page.texts]
    overlaps = [
        (first, second)
        for first, second in itertools.combinations(boxes, 2)
        if first.width and second.width and first.overlaps(second)
    ]
    assert not overlaps


IDENTITY = (("Patient", "Doe, John"), ("Patient ID", "4711"), ("Accession number", "A1 & B"))


def test_a_report_identifies_the_patient_only_on_request(report: Report, tmp_path: Path) -> None:
    assert "Doe" not in render_html(report)
    shown = " ".join(" ".join(Page(render_html(replace(report, identity=IDENTITY))).text).split())
    for name, value in IDENTITY:
        assert f"{name}: {value}" in shown
    pages = layout(replace(report, identity=IDENTITY), np.zeros((560, 1480, 3), np.uint8))
    texts = [text.get_text() for text in pages.pages[0].texts]
    assert any(
        "Patient: Doe, John" in text and "Accession number: A1 & B" in text for text in texts
    )
    foreign = (("Patient", "\u5c71\u7530, \u592a\u90ce"),)
    write_pdf(replace(report, identity=foreign), tmp_path / "a.pdf")


def test_many_measurements_continue_on_further_pages(report: Report, tmp_path: Path) -> None:
    many = {f"number_{n}_mm": "a long text " * 20 for n in range(60)}
    write_pdf(replace(report, statistics=many, run=many), tmp_path / "long.pdf")
    assert (tmp_path / "long.pdf").read_bytes().count(b"/Type /Page ") > 1


@pytest.mark.parametrize("lines", range(60))
def test_headings_of_the_pdf_stay_with_their_text(lines: int) -> None:
    pages = _Pages()
    pages.move_down(lines)
    pages.heading("Provenance")
    pages.table([("Model", "default")])
    assert "Provenance" in [text.get_text() for text in pages.page.texts] or not pages.page.texts
    assert all(page.texts[-1].get_text() != "Provenance" for page in pages.pages if page.texts)


def test_the_report_of_an_empty_mask_has_no_surface(report: Report, tmp_path: Path) -> None:
    empty = Mask(0 * report.mask.labels, report.mask.geometry)
    page = Page(render_html(replace(report, mask=empty)))
    assert "No liver was found." in " ".join(page.text)
    assert not any(tag in ("script", "canvas") for tag, _ in page.elements)
    write_pdf(replace(report, mask=empty), tmp_path / "empty.pdf")


def test_the_surface_encloses_the_liver_from_outside(scene) -> None:
    found = display_mesh(scene.mask)
    corners = found.points_mm[found.triangles].astype(float)
    signed_mm3 = np.einsum("ij,ij->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6
    assert signed_mm3 / 1000 == pytest.approx(scene.mask.volume_ml, rel=0.1)
    sizes_mm = found.points_mm.max(axis=0) - found.points_mm.min(axis=0)
    np.testing.assert_allclose(sizes_mm, (36, 50, 60), atol=4)  # left, posterior, superior


def test_the_mesh_axes_run_left_posterior_and_superior(scene) -> None:
    labels = np.zeros_like(scene.mask.labels)
    labels[34:52, 15:40, 8:20] = 1
    labels[20:34, 15:20, 8:10] = 1  # a thin piece: left (low i), posterior (low j), inferior
    points = display_mesh(Mask(labels, scene.mask.geometry)).points_mm
    thin = points[points[:, 0] > points[:, 0].max() - 10]
    assert thin[:, 1].mean() > 0
    assert thin[:, 2].mean() < 0


@pytest.mark.skipif(shutil.which("node") is None, reason="node, which runs the script, is missing")
def test_the_script_draws_the_surface(report: Report, tmp_path: Path) -> None:
    page = render_html(report)
    points, triangles, colour = (
        re.search(rf'id="{name}">([^<]*)<', page)[1]  # type: ignore[index]
        for name in ("points", "triangles", "colour")
    )
    script = (files("rma_mamba.reporting") / "templates" / "report.js").read_text()
    call = f"""
    const mesh = makeMesh({json.dumps(points)}, {json.dumps(triangles)}, {json.dumps(colour)});
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
    assert np.ptp(rows) / np.ptp(columns) == pytest.approx(60 / 36, rel=0.1)  # superior by left
    assert front[32, 32]
    brightest = pictures[0][pictures[0][..., 0].argmax() // 64, pictures[0][..., 0].argmax() % 64]
    np.testing.assert_allclose(brightest[:3] / brightest[0], np.array(LIVER_RGB) / 221, atol=0.02)
    assert not np.array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[1], pictures[2])


@pytest.mark.skipif(shutil.which("node") is None, reason="node, which runs the script, is missing")
@pytest.mark.parametrize(
    ("yaw", "pitch", "seen"),  # letters at the left, right, upper and lower edge
    [
        (0, 0, "RLSI"),  # anterior view
        (np.pi / 2, 0, "APSI"),  # from the left
        (-np.pi / 2, 0, "PASI"),  # from the right
        (np.pi, 0, "LRSI"),  # posterior view
        (0, np.pi / 2, "RLPA"),  # from above
    ],
)
def test_the_direction_letters_rotate_with_the_surface(
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


@pytest.mark.parametrize(
    ("severity", "verdict"),
    [
        (None, "No quality problems found."),
        ("yellow", "Review the mask closely"),
        ("red", "Do not use the measurements"),
    ],
)
def test_the_verdict_says_what_the_light_means(
    report: Report, severity: str | None, verdict: str
) -> None:
    flags = () if severity is None else (Flag("a", "A.", severity),)  # type: ignore[arg-type]
    shown = replace(report, notes=replace(report.notes, quality=Quality(flags)))
    assert shown.light == (severity or "green")
    assert shown.verdict.startswith(verdict)
    assert "Dice" not in shown.verdict


@pytest.mark.parametrize("module", ["report", "report_html", "report_pdf", ""])
def test_drawing_libraries_are_imported_on_first_use(module: str) -> None:
    """matplotlib for PDF, Jinja for HTML, SciPy and scikit-image for measurements; torch and pydantic never."""
    heavy = ("matplotlib", "jinja2", "scipy", "skimage", "torch", "pydantic")
    name = f"rma_mamba.reporting.{module}".rstrip(".")
    code = f"import sys, {name}; print([each for each in {heavy} if each in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


def test_every_label_belongs_to_an_existing_measurement() -> None:
    names = {field.name for field in (*fields(Quantities), *fields(CaseNotes))} | {"touches_border"}
    assert set(_LABELS) <= names
