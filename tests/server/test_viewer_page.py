"""The page in a real browser, with a real server: drop, look, draw, undo, save, reload, export."""

from __future__ import annotations

import gzip
import io
import math
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from browser import AxialPane, Page, chromium
from clinical_series import clinical_series
from viewer_server import Viewer, nifti, viewer

SHAPE = (96, 80, 14)
SPACING_MM = (3.5, 3.5, 8.0)
SLICE = 7
BRUSH_MM = 12.0
NAME = "Muster_Erika.nii.gz"
PLANE = (SHAPE[:2], SPACING_MM[:2])


def body() -> np.ndarray[Any, Any]:
    """An MR-like scan: a body with a bright organ."""
    i, j, k = np.ogrid[:96, :80, :14]
    values = np.where(((i - 48) / 44) ** 2 + ((j - 40) / 34) ** 2 < 1, 120, 4)
    organ = ((i - 62) / 22) ** 2 + ((j - 42) / 18) ** 2 + ((k - 7) / 5) ** 2 < 1
    return np.where(organ, 420, values).astype(np.int16)


def study() -> bytes:
    """An archive with a CT in two series."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for number, slices in ((1, 12), (2, 6)):
            for k, data in enumerate(clinical_series(slices=slices)):
                data.SeriesInstanceUID = f"1.2.826.0.1.3680043.8.498.8{number}"
                data.SOPInstanceUID = f"{data.SeriesInstanceUID}.{k}"
                data.SeriesNumber, data.SeriesDescription = number, f"Phase {number}"
                file = io.BytesIO()
                data.save_as(file, implicit_vr=False, little_endian=True, enforce_file_format=True)
                archive.writestr(f"study/{number}/{k}.dcm", file.getvalue())
    return content.getvalue()


def distance_mm(start: tuple[int, int], end: tuple[int, int]) -> np.ndarray[Any, Any]:
    """Distance of each voxel of a slice to the way from `start` to `end`."""
    i, j = np.indices(SHAPE[:2])
    points = np.stack([i * SPACING_MM[0], j * SPACING_MM[1]], -1)
    a, b = (np.array(each) * SPACING_MM[0] for each in (start, end))
    along = np.clip(((points - a) @ (b - a)) / ((b - a) @ (b - a)), 0, 1)
    return np.linalg.norm(points - (a + along[..., None] * (b - a)), axis=-1)


@dataclass
class Bench:
    """A server with one segmented case, and a window."""

    server: Viewer
    case: str
    window: Page
    address: str

    @property
    def pane(self) -> AxialPane:
        return AxialPane(self.window.box(), *PLANE)

    def labels(self, version: int | str = "newest") -> np.ndarray[Any, Any]:
        return np.asarray(self.server.mask(self.case, version).dataobj)

    def start(self) -> None:
        """The case as if it were opened for the first time, at the middle slice."""
        page = self.window.page
        is_clean = page.locator(".unsaved:empty").count() and not page.locator("dialog").count()
        if page.url.endswith(self.case) and is_clean:  # the page need not be loaded again
            page.evaluate("location.hash = '#/'")
            page.wait_for_selector(".work-table")
            page.evaluate("document.getElementById('toasts').replaceChildren()")
            page.evaluate("delete document.documentElement.dataset.case")
        else:
            page.goto("about:blank")
        for draft in self.server.case(self.case)["drafts"]:
            self.server.client.delete(f"/api/cases/{self.case}/draft?window={draft['window']}")
        if page.url == "about:blank":
            self.window.open(self.address)
        self.window.open_case(self.case)
        self.to_slice(SLICE)

    def to_slice(self, k: int) -> None:
        step = "ArrowUp" if k + 1 > self.window.slice_number() else "ArrowDown"
        for _ in range(abs(k + 1 - self.window.slice_number())):
            self.window.press(step)
        self.window.until(
            f"document.querySelector('.slice-position').textContent.startsWith('{k + 1} /')"
        )

    def stroke(self, start: tuple[int, int], end: tuple[int, int]) -> None:
        mouse = self.window.page.mouse
        mouse.move(*self.pane.on_page(*start))
        mouse.down()
        mouse.move(*self.pane.on_page(*end), steps=5)
        mouse.up()

    def brush(self) -> None:
        """Choose the brush, with the diameter that the tests know."""
        self.window.press("b")
        self.window.page.locator("#brush-size").fill(str(BRUSH_MM))

    def to_version(self, version: int) -> None:
        """Show a version, with its draft; what was drawn on another one is kept."""
        page = self.window.page
        is_changed = page.locator(".unsaved").inner_text() != ""
        page.get_by_role("tab", name="Review").click()
        page.get_by_role("button", name=f"Show version {version}", exact=True).click()
        if is_changed:
            page.locator("dialog").get_by_role("button", name="Keep the draft").click()
        page.wait_for_selector(f"button[aria-label='Show version {version}'][aria-pressed=true]")

    def kept(self) -> set[int]:
        """The versions of which there are drafts."""
        return {each["parent"] for each in self.server.case(self.case)["drafts"]}

    def save(self) -> int:
        """Save, and the number of the new version."""
        before = len(self.server.case(self.case)["versions"])
        self.window.press("Control+s")
        self.window.page.wait_for_selector(f"text=Saved as version {before + 1}")
        return before + 1


@pytest.fixture(scope="module")
def bench(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("page")
    with viewer(weights, folder) as server, chromium() as browser:
        context = browser.new_context(viewport={"width": 1280, "height": 720}, color_scheme="dark")
        window = Page(context.new_page())
        address = f"{str(server.client.base_url).rstrip('/')}/?token={server.rules.token}"
        window.open(address)
        window.drop(NAME, nifti(body(), np.diag([*SPACING_MM, 1.0])))
        window.page.wait_for_selector("html[data-case] .slice-canvas")
        case = window.page.locator("html").get_attribute("data-case")
        yield Bench(server, case, window, address)
        assert window.errors == []


def test_the_mask_is_on_the_screen_where_the_server_has_it(bench: Bench) -> None:
    bench.start()
    mask = bench.labels()[:, :, SLICE] > 0
    assert 50 < mask.sum() < mask.size / 2
    bench.window.press("x")
    bench.window.page.get_by_role("button", name="Fill", exact=True).click()
    bench.window.page.mouse.move(5, 400)
    pixels = bench.window.pixels("axial")
    coloured = pixels[..., 0] - pixels[..., 2] > 15
    sure = ndimage.binary_erosion(mask), ~ndimage.binary_dilation(mask, iterations=2)
    pane = bench.pane
    central = np.zeros_like(mask)
    central[12:-12, 12:-12] = True  # letters, slider and frame are at the edges
    for inside, expected in zip(sure, (True, False), strict=True):
        voxels = np.argwhere(inside & central)
        shown = [coloured[math.floor(y), math.floor(x)] for x, y in (pane.at(*v) for v in voxels)]
        assert np.mean(shown) > 0.99 if expected else np.mean(shown) < 0.01
    bench.window.page.get_by_role("button", name="Outline", exact=True).click()
    bench.window.press("x")


def test_the_scan_is_on_the_screen_the_right_way_round(bench: Bench) -> None:
    bench.start()
    bench.window.press("x", "o", "o")  # no lines, no mask
    pixels = bench.window.pixels("axial").sum(-1)
    organ, opposite = ((62, 42), (34, 42)), ((20, 42), (48, 70))
    levels = [
        pixels[int(y), int(x)] for x, y in (bench.pane.at(*v) for v in (organ[0], opposite[0]))
    ]
    assert levels[0] > levels[1] + 100
    bench.window.press("o", "x")


def test_a_stroke_is_in_the_saved_file_and_nowhere_else(bench: Bench) -> None:
    bench.start()
    before = bench.labels()
    start, end = (20, 14), (30, 22)
    bench.brush()
    bench.stroke((60, 60), (70, 62))
    bench.window.press("Control+z")
    bench.stroke(start, end)
    version = bench.save()
    after = bench.server.mask(bench.case, version)
    changed = np.asarray(after.dataobj) != before
    distance = distance_mm(start, end)
    assert not changed[:, :, np.arange(SHAPE[2]) != SLICE].any()
    drawn = changed[:, :, SLICE] | (before[:, :, SLICE] > 0)
    assert drawn[distance < BRUSH_MM / 2 - 1].all()
    assert not changed[:, :, SLICE][distance > BRUSH_MM / 2 + 1].any()
    first = bench.server.mask(bench.case, 1)
    assert np.array_equal(after.affine, first.affine)
    assert after.header.get_data_dtype() == np.uint8
    assert np.array_equal(bench.labels(1), before if version == 2 else bench.labels(1))
    saved = bench.server.case(bench.case)["versions"][-1]
    assert (saved["parent"], saved["kind"]) == (version - 1, "semiautomatic")


@pytest.mark.parametrize(("view", "axes"), [("coronal", (0, 2)), ("sagittal", (1, 2))])
def test_a_stroke_on_another_plane_stays_on_it(
    bench: Bench, view: str, axes: tuple[int, int]
) -> None:
    bench.start()
    before = bench.labels()
    bench.brush()
    (through,) = {0, 1, 2} - {*axes}
    number = bench.window.slice_number(view)
    pane = AxialPane(
        bench.window.box(view), *((each[axes[0]], each[axes[1]]) for each in (SHAPE, SPACING_MM))
    )
    start = (SHAPE[axes[0]] // 4, 2)
    mouse = bench.window.page.mouse
    mouse.move(*pane.on_page(*start))
    mouse.down()
    mouse.up()
    changed = np.argwhere(bench.labels(bench.save()) != before)
    assert len(changed) > 0
    assert set(changed[:, through].tolist()) == {number - 1}
    for axis, at in zip(axes, start, strict=True):
        away_mm = np.abs(changed[:, axis] - at) * SPACING_MM[axis]
        assert away_mm.max() <= BRUSH_MM / 2 + 1


def test_a_stroke_during_which_slices_are_turned_is_where_it_was_drawn(bench: Bench) -> None:
    bench.start()
    before = bench.labels()
    bench.brush()
    mouse = bench.window.page.mouse
    mouse.move(*bench.pane.on_page(36, 6))
    mouse.down()
    bench.window.press("ArrowUp", "ArrowUp", "Control+z", "Control+s")  # a stroke is ended first
    mouse.move(*bench.pane.on_page(36, 7))
    mouse.up()
    bench.window.press("Control+z", "Control+y")
    volume = bench.window.page.locator(".correct output[aria-label=Volume]").inner_text()
    after = bench.labels(bench.save())
    changed = np.argwhere(after != before)
    assert set(changed[:, 2].tolist()) == {SLICE, SLICE + 2}
    away_mm = np.linalg.norm((changed[:, :2] - (36, 6.5)) * SPACING_MM[:2], axis=1)
    assert away_mm.max() <= BRUSH_MM / 2 + SPACING_MM[0]
    shown = (after > 0).sum() * np.prod(SPACING_MM) / 1000
    assert f"{shown:.0f}" == volume.split(" mL")[0].replace(",", "")


def test_a_brush_that_is_smaller_than_a_voxel_paints_that_voxel(bench: Bench) -> None:
    bench.start()
    before = bench.labels()
    bench.brush()
    bench.window.page.locator("#brush-size").fill("1")
    x, y = bench.pane.on_page(44, 6)
    bench.window.page.mouse.click(x + 0.4 * SPACING_MM[0] * bench.pane.pixels_per_mm, y)
    changed = np.argwhere(bench.labels(bench.save()) != before)
    assert changed.tolist() == [[44, 6, SLICE]]


def test_undo_and_redo_restore_each_voxel(bench: Bench) -> None:
    bench.start()
    volume = bench.window.page.locator(".correct output[aria-label=Volume]")
    bench.brush()
    none = volume.inner_text()
    bench.stroke((20, 60), (24, 60))
    one = volume.inner_text()
    bench.stroke((20, 20), (30, 20))
    two = volume.inner_text()
    bench.window.press("Control+z")
    assert volume.inner_text() == one != two
    bench.window.press("Control+y")
    assert volume.inner_text() == two
    bench.window.press("Control+z", "Control+z")
    assert volume.inner_text() == none
    assert bench.window.page.locator(".unsaved").inner_text() == ""


def test_measurements_follow_a_stroke_at_once(bench: Bench) -> None:
    bench.start()
    bench.brush()
    bench.stroke((20, 60), (34, 62))
    page = bench.window.page
    page.get_by_role("tab", name="Findings").click()
    page.wait_for_selector("[data-stale=true]", state="detached")
    drawn = page.locator(".findings .big-number").first.inner_text()
    measured = page.locator(".measurements td").first.inner_text().removesuffix(" mL")
    assert round(float(measured.replace(",", ""))) == pytest.approx(
        int(drawn.replace(",", "")), abs=1
    )
    bench.window.press("Control+z")


def test_a_reload_keeps_what_was_drawn(bench: Bench) -> None:
    bench.start()
    bench.to_version(1)
    bench.brush()
    bench.window.page.get_by_role("button", name="Clear mask").click()
    bench.stroke((58, 40), (66, 44))  # where the network had found the organ
    bench.window.page.wait_for_selector(".case[data-draft]")
    versions = bench.server.case(bench.case)["versions"]
    bench.window.page.reload()
    bench.window.shown(bench.case)
    bench.window.page.wait_for_selector("text=Not saved")
    assert bench.server.case(bench.case)["versions"] == versions
    version = bench.save()
    assert np.argwhere(bench.labels(version))[:, 2].tolist()[0] == SLICE
    assert bench.labels(version)[58, 40, SLICE] == 1
    assert bench.server.case(bench.case)["drafts"] == []
    assert bench.server.case(bench.case)["versions"][-1]["kind"] == "manual"
    bench.window.press("Control+z")  # the network's mask again
    bench.save()
    assert bench.server.case(bench.case)["versions"][-1]["kind"] == "semiautomatic"


def test_the_eraser_removes_only_mask(bench: Bench) -> None:
    bench.start()
    before = bench.labels()
    i, j = (int(x) for x in np.argwhere(ndimage.binary_erosion(before[:, :, SLICE] > 0))[0])
    bench.brush()
    bench.window.press("e")
    bench.stroke((i, j), (i + 3, j))
    after = bench.labels(bench.save())
    assert after[i, j, SLICE] == 0
    assert (after <= before).all()


def test_the_brush_in_3d_and_the_threshold(bench: Bench) -> None:
    bench.start()
    before = bench.labels()
    bench.brush()
    bench.window.press("d")
    bench.window.page.locator("#brush-size").fill("40")
    low, high = bench.window.page.locator(".range input").all()
    bench.window.press("t")
    low.fill("100")
    high.fill("140")
    bench.stroke((48, 70), (48, 71))
    bench.window.page.locator("#brush-size").fill(str(BRUSH_MM))
    changed = bench.labels(bench.save()) != before
    assert {SLICE - 1, SLICE, SLICE + 1} <= set(np.argwhere(changed)[:, 2].tolist())
    assert set(np.unique(body()[changed])) == {120}  # neither air nor organ


def test_slices_between_two_drawn_ones_are_filled(bench: Bench) -> None:
    bench.start()
    bench.brush()
    bench.window.page.get_by_role("button", name="Clear mask").click()
    bench.stroke((40, 20), (60, 20))
    bench.to_slice(SLICE + 4)
    bench.stroke((44, 20), (64, 22))
    bench.window.press("i")
    bench.window.until("document.getElementById('announcer').textContent.includes('done')")
    after = bench.labels(bench.save())
    assert sorted({int(k) for k in np.argwhere(after)[:, 2]}) == [SLICE + n for n in range(5)]
    middle = ndimage.center_of_mass(after[:, :, SLICE + 2])
    assert middle == pytest.approx((52, 20.5), abs=1.5)
    assert bench.server.case(bench.case)["versions"][-1]["kind"] == "manual"


def test_an_exported_file_has_the_voxels_that_are_shown(bench: Bench, tmp_path: Path) -> None:
    bench.start()
    bench.window.press("Control+e")
    with bench.window.page.expect_download() as download:
        bench.window.page.locator("dialog button[data-type=nifti]").click()
    download.value.save_as(tmp_path / "mask.nii.gz")
    exported = np.asarray(nib.load(tmp_path / "mask.nii.gz").dataobj)
    assert np.array_equal(exported, bench.labels())


def test_everything_works_with_the_keyboard_alone(bench: Bench) -> None:
    page = bench.window.page
    page.goto("about:blank")
    bench.window.open(bench.address)
    page.wait_for_selector("tr[data-case]")
    bench.window.press("ArrowDown", "Enter")
    bench.window.shown(bench.case)
    bench.to_slice(3)
    before = bench.labels()
    bench.window.press("b", "Shift+ArrowRight", "Space", "Shift+ArrowDown", "Space")
    changed = np.argwhere(bench.labels(bench.save()) != before)
    assert len(changed) > 0
    assert set(changed[:, 2].tolist()) == {3}
    bench.window.press("Escape", "r")
    page.wait_for_selector(".state[data-state=rejected]")
    bench.window.press("Escape")
    page.wait_for_selector("tr .state[data-state=rejected]")
    assert bench.server.case(bench.case)["review"]["state"] == "rejected"


def test_another_window_that_was_quicker_is_not_overwritten(bench: Bench) -> None:
    bench.start()
    page = bench.window.page
    answer = bench.server.client.put(
        f"/api/cases/{bench.case}/review", json={"state": "accepted", "note": "fine"}
    )
    assert answer.status_code == 200
    bench.window.press("r")
    page.wait_for_selector("text=Another window changed this case")
    assert bench.server.case(bench.case)["review"]["state"] == "accepted"
    assert page.locator(".bar .state[data-state=accepted]").is_visible()


def test_a_mask_is_saved_before_it_is_called_corrected(bench: Bench) -> None:
    bench.start()
    before = len(bench.server.case(bench.case)["versions"])
    bench.brush()
    bench.stroke((20, 64), (24, 66))
    bench.window.page.get_by_role("tab", name="Review").click()
    bench.window.page.locator("button[data-state=corrected]").click()
    bench.window.page.wait_for_selector(".bar .state[data-state=corrected]")
    case = bench.server.case(bench.case)
    assert len(case["versions"]) == before + 1
    assert case["review"]["version"] == case["versions"][-1]["version"]


def test_a_newer_version_than_the_one_decided_on_is_stated(bench: Bench) -> None:
    bench.start()
    page = bench.window.page
    page.get_by_role("tab", name="Review").click()
    page.locator("button[data-state=rejected]").click()
    page.wait_for_selector(".bar .state[data-state=rejected]:not([data-outdated])")
    decided = bench.server.case(bench.case)["review"]["version"]
    bench.brush()
    bench.stroke((20, 64), (22, 66))
    newest = bench.save()
    words = f"Rejected (version {decided}; newer version {newest} not reviewed)"
    assert page.locator(".bar .state[data-outdated]").inner_text() == words
    page.get_by_role("tab", name="Review").click()
    assert page.locator(".review p.quiet").first.inner_text().startswith(words)
    page.locator("#note").fill("rim")  # a note is not a decision on the newer version
    page.get_by_role("button", name="Save note").click()
    page.wait_for_selector("text=The note was saved")
    review = bench.server.case(bench.case)["review"]
    assert (review["version"], review["note"]) == (decided, "rim")
    page.evaluate("location.hash = '#/'")
    row = page.locator(f"tr[data-case='{bench.case}'] .state[data-outdated]")
    assert row.inner_text() == words
    page.locator("select[name=state]").select_option("outdated")
    assert row.is_visible()
    bench.window.open_case(bench.case)
    page.get_by_role("tab", name="Review").click()
    page.locator("button[data-state=corrected]").click()
    page.wait_for_selector(".bar .state[data-state=corrected]:not([data-outdated])")


def test_the_mask_of_the_network_is_not_called_corrected(bench: Bench) -> None:
    bench.start()
    page = bench.window.page
    before = bench.server.case(bench.case)["review"]
    bench.to_version(1)
    page.locator("button[data-state=corrected]").click()
    page.wait_for_selector("text=Version 1 is the network's mask")
    assert bench.server.case(bench.case)["review"] == before


def test_a_typed_note_is_not_lost_with_the_next_case(bench: Bench) -> None:
    bench.start()
    page = bench.window.page
    page.get_by_role("tab", name="Review").click()
    for answer, note in (("Stay here", None), ("Save note", "see segment 2"), ("Discard", None)):
        page.locator("#note").fill(note or "later")
        page.evaluate("location.hash = '#/'")
        page.locator("dialog").get_by_role("button", name=answer).click()
        if answer == "Stay here":
            assert page.locator("#note").input_value() == "later"
            continue
        page.wait_for_selector("tr[data-case]")
        assert bench.server.case(bench.case)["review"]["note"] == "see segment 2"
        bench.window.open_case(bench.case)
        page.get_by_role("tab", name="Review").click()
        assert page.locator("#note").input_value() == "see segment 2"


def test_each_version_keeps_its_own_draft(bench: Bench) -> None:
    """A stroke on each of two versions, one of which is saved: the other is not lost, unless it is undone."""
    bench.start()
    page = bench.window.page
    bench.brush()
    bench.stroke((20, 40), (24, 40))
    newest = bench.save()
    for version, j in ((newest, 60), (1, 20)):
        bench.to_version(version)
        bench.stroke((20, j), (24, j))
    bench.to_version(newest)
    page.wait_for_selector("text=Not saved")
    assert bench.kept() == {1, newest}
    saved = bench.save()
    labels = bench.labels(saved)
    assert (labels[20, 60, SLICE], labels[20, 20, SLICE]) == (1, 0)
    assert bench.kept() == {1}
    bench.to_version(1)
    page.wait_for_selector("text=Not saved")
    bench.window.press("Control+z")
    bench.to_version(saved)
    assert bench.kept() == set()


def test_a_duplicated_tab_is_a_window_of_its_own(bench: Bench) -> None:
    page, name = bench.window.page, "sessionStorage['rma-mamba.window']"
    page.goto("about:blank")
    bench.window.open(bench.address)
    with page.expect_popup() as popup:
        page.evaluate("window.open('/')")  # with a copy of the storage, as of "Duplicate tab"
    other = popup.value
    names = [page.evaluate(name)]
    for _ in range(2):  # a reload keeps the name
        other.wait_for_selector("html[data-ready]")
        names.append(other.evaluate(name))
        other.reload()
    other.close()
    assert names[0] != names[1] == names[2]


def test_a_finger_draws_and_two_fingers_zoom(bench: Bench) -> None:
    bench.start()
    bench.brush()
    x, y = bench.pane.on_page(30, 30)
    send = bench.window.page.context.new_cdp_session(bench.window.page).send

    def touch(kind: str, *points: tuple[float, float]) -> None:
        fingers = [{"x": x, "y": y, "id": n} for n, (x, y) in enumerate(points)]
        send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})

    touch("touchStart", (x, y))
    touch("touchStart", (x, y), (x + 40, y))
    for n in range(5):
        touch("touchMove", (x - 8 * n, y), (x + 40 + 8 * n, y))
    touch("touchEnd", (x - 32, y))  # fingers are rarely lifted at once
    touch("touchMove", (x - 20, y))
    touch("touchEnd")
    assert bench.window.page.locator(".unsaved").inner_text() == ""
    bench.window.press("0")
    touch("touchStart", (x, y))
    touch("touchMove", (x + 9, y))
    touch("touchEnd")
    bench.window.page.wait_for_selector("text=Not saved")
    bench.window.press("Control+z")


def test_names_are_shown_only_after_a_click(bench: Bench) -> None:
    page = bench.window.page
    page.goto("about:blank")
    bench.window.open(bench.address)
    page.wait_for_selector("tr[data-case]")
    assert "Muster" not in page.content()
    assert "Muster" not in page.title()
    page.get_by_role("button", name="Show names").click()
    assert "Muster" in page.locator("table").inner_text()


def test_a_file_that_is_no_scan_is_reported_and_the_viewer_goes_on(bench: Bench) -> None:
    page = bench.window.page
    page.goto("about:blank")
    bench.window.open(bench.address)
    bench.window.drop("broken.nii.gz", b"\x1f\x8b no scan", times=3)
    page.wait_for_selector("text=Segmentation failed")
    assert page.locator("text=Other files are still being sent").count() == 1  # stated once
    assert len([row for row in bench.server.client.get("/api/cases").json() if row["error"]]) == 1
    assert page.get_by_role("button", name="Segment again").is_visible()
    assert page.locator(".progress p[role=status]").inner_text() != ""
    page.get_by_role("link", name="Work list", exact=True).click()
    page.wait_for_selector("tr[data-status=failed]")
    for width in (1280, 768):
        page.set_viewport_size({"width": width, "height": 720})
        assert page.locator(".home").evaluate("(home) => home.scrollWidth <= home.clientWidth")
    page.set_viewport_size({"width": 1280, "height": 720})
    bench.start()


def test_another_series_of_a_study_opens_with_the_keyboard(bench: Bench) -> None:
    page = bench.window.page
    page.goto("about:blank")
    bench.window.open(bench.address)
    bench.window.drop("study.zip", study())
    page.wait_for_selector(f"html[data-case]:not([data-case='{bench.case}']) .slice-canvas")
    first = page.locator("html").get_attribute("data-case")
    page.wait_for_selector("text=Series 1 of 2")
    bench.window.press("s")
    words = page.locator("dialog.series ul").inner_text()
    assert "CT · Phase 1" in words
    assert "12 slices" in words
    assert bench.window.axe() == []
    bench.window.press("ArrowDown", "Enter")
    page.wait_for_selector(f"html[data-case]:not([data-case='{first}']) .slice-canvas")
    page.wait_for_selector("text=Series 2 of 2")
    assert page.locator("[data-pane=axial] .slice-position").inner_text().split()[2] == "6"
    bench.start()


def test_the_surface_is_shown_in_3d(bench: Bench) -> None:
    bench.start()
    page = bench.window.page
    if not page.evaluate("!!document.createElement('canvas').getContext('webgl2')"):
        pytest.skip("this browser has no WebGL 2")
    page.wait_for_selector("[data-pane='3-D'][data-surface]")
    assert int(page.locator("[data-pane='3-D']").get_attribute("data-surface")) > 100


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_axe_finds_no_serious_fault(bench: Bench, theme: str) -> None:
    page = bench.window.page
    bench.start()
    page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
    for tab in ("Findings", "Correct", "Review"):
        page.get_by_role("tab", name=tab).click()
        assert bench.window.axe() == []
    bench.window.press("?")
    assert bench.window.axe() == []
    bench.window.press("Escape", "Escape")
    page.wait_for_selector("tr[data-case]")
    page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
    assert bench.window.axe() == []


@pytest.mark.parametrize("size", [(1280, 720), (1024, 768), (768, 1024)])
def test_nothing_is_cut_off(bench: Bench, size: tuple[int, int]) -> None:
    page = bench.window.page
    page.set_viewport_size({"width": size[0], "height": size[1]})
    bench.start()
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    for view in ("axial", "coronal", "sagittal"):
        box = bench.window.box(view)
        assert min(box["width"], box["height"]) > 150
    assert page.get_by_role("button", name="Save", exact=True).is_visible()
    name = page.locator(".case-name")
    assert name.evaluate("(name) => name.scrollWidth <= name.clientWidth")
    page.set_viewport_size({"width": 1280, "height": 720})


def test_no_request_leaves_the_machine(bench: Bench) -> None:
    bench.start()
    home = urlsplit(bench.address).netloc
    addresses = [urlsplit(each) for each in bench.window.requests]
    foreign = {
        each.geturl()[:80]
        for each in addresses
        if each.scheme in ("http", "https") and each.netloc != home
    }
    assert foreign == set()
    assert {each.scheme for each in addresses} <= {"http", "blob", "data"}
    assert len(addresses) > 50
    assert not any("Muster" in each for each in bench.window.requests)


def test_images_are_read_as_nibabel_reads_them(bench: Bench) -> None:
    """Types, byte orders, scaling, NIfTI-2 and quaternions, through the page's own reader."""
    import base64

    bench.start()
    values = np.arange(-30, 90).reshape(4, 5, 6)
    rotation = nib.eulerangles.euler2mat(0.3, -0.2, 0.5)
    affine = nib.affines.from_matvec(rotation @ np.diag([1.5, 2.0, 4.0]), [-10, 20, 30])
    for kind, header, dtype in (
        (nib.Nifti1Image, nib.Nifti1Header, "<i2"),
        (nib.Nifti1Image, nib.Nifti1Header, ">f4"),
        (nib.Nifti2Image, nib.Nifti2Header, "<f8"),
        (nib.Nifti1Image, nib.Nifti1Header, "<i4"),
    ):
        head = header(endianness=dtype[0])
        head.set_data_dtype(dtype)
        image = kind(values.astype(dtype), affine, head)
        image.set_sform(affine, 0)  # the quaternion alone
        image.set_qform(affine, 1)
        content = base64.b64encode(gzip.compress(image.to_bytes())).decode()
        found = bench.window.page.evaluate(
            """async (content) => {
              const { parseNifti, gunzip } = await import("/app/nifti.js");
              const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
              const image = parseNifti(await gunzip(bytes));
              return { dim: image.dim, affine: image.affine,
                       values: [...image.values].map((value) => value * image.slope + image.inter) };
            }""",
            content,
        )
        assert found["dim"] == [4, 5, 6]
        assert np.allclose(found["affine"], image.affine[:3], atol=1e-5)
        assert np.allclose(found["values"], values.ravel(order="F"))


def test_regions_inside_a_class_are_drawn_and_erased_on_their_own(bench: Bench) -> None:
    """A tumour (2) inside the liver (1): the brush of the liver leaves it, its eraser leaves liver."""
    bench.start()
    after, volumes = bench.window.page.evaluate(
        """async () => {
          const [{ makeGrid }, { MaskDocument }, { Session }, { Pointer }] = await Promise.all(
            ["grid", "mask-document", "session", "pointer"].map((name) => import(`/app/${name}.js`)));
          const grid = makeGrid([4, 1, 1], [[10, 0, 0, 0], [0, 10, 0, 0], [0, 0, 10, 0]]);
          const classes = [{ value: 1, name: "Liver", color: "#dd8265", parts: [1, 2], under: 0 },
                           { value: 2, name: "Tumour", color: "#90ee90", parts: [2], under: 1 }];
          const session = new Session(grid, {}, [{ name: "", min: 0, max: 1 }], classes);
          const counts = new Float64Array(256);
          counts.set([2, 1, 1]);
          session.document = new MaskDocument(grid, { labels: Uint8Array.from([0, 1, 2, 0]), counts }, 1);
          const volumes = session.labels.map((label) => session.document.volumeMl(label));
          const results = [];
          for (const [label, tool] of [[1, "brush"], [2, "eraser"], [2, "brush"], [1, "eraser"]]) {
            Object.assign(session, { activeLabel: label, tool });
            session.document.begin("test");
            [0, 1, 2].forEach(Pointer.prototype.writer.call({ session }));
            session.document.commit();
            results.push([...session.document.labels]);
          }
          return [results, volumes];
        }"""
    )
    assert after == [[1, 1, 2, 0], [1, 1, 1, 0], [2, 2, 2, 0], [0, 0, 0, 0]]
    assert volumes == [2.0, 1.0]


def test_panes_follow_the_closest_axes_of_the_body(bench: Bench) -> None:
    bench.start()
    random = np.random.default_rng(0)
    for _ in range(20):
        order, signs = random.permutation(3), random.choice([-1, 1], 3)
        turn = nib.eulerangles.euler2mat(*random.uniform(-0.3, 0.3, 3))
        affine = turn @ np.eye(3)[order] @ np.diag(signs * [1.0, 1.5, 4.0])
        found = bench.window.page.evaluate(
            """async (affine) => {
              const { makeGrid } = await import("/app/grid.js");
              const { axial, sagittal } = makeGrid([10, 11, 12], affine).views;
              return [axial.across, axial.down, axial.through, sagittal.through].map(({ axis, flip }) => [axis, flip]);
            }""",
            np.c_[affine, np.zeros(3)].tolist(),
        )
        codes = nib.orientations.io_orientation(
            np.block([[affine, np.zeros((3, 1))], [np.zeros((1, 3)), 1]])
        )
        for (axis, flip), world in zip(found, (0, 1, 2, 0), strict=True):
            assert codes[axis][0] == world
            assert bool(codes[axis][1] > 0) == flip
