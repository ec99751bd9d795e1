"""The web page computes what the Python package computes, in JavaScript and in a real browser, and sends nothing."""

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from browser import Page, chromium
from rma_mamba.datasets.phantom import make_phantom
from rma_mamba.errors import ConfigError
from rma_mamba.exporting.web_page import web_recipe, write_web_page
from rma_mamba.inference import Segmenter
from rma_mamba.label_scheme import LabelScheme
from rma_mamba.scans import write_scan
from rma_mamba.slicing import SliceRecipe
from web_vectors import TABLE, make

ROOT = Path(__file__).parents[2]
RUNTIME = ROOT / "node_modules" / "onnxruntime-web" / "dist"
SOURCES = ROOT / "src" / "rma_mamba"
CHECK = Path(__file__).with_name("check_web_vectors.mjs")


class QuietHandler(SimpleHTTPRequestHandler):
    """A file server that prints nothing."""

    def log_message(self, *arguments: object) -> None:
        """Print nothing."""


@pytest.fixture
def page(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder for the page, and its address."""
    folder = tmp_path / "page"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=folder))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield folder, f"http://localhost:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join()


def scripts(folder: Path) -> Path:
    """The scripts of the page as modules of Node.js."""
    for script in (SOURCES / "exporting" / "web").glob("*.js"):
        shutil.copy(script, folder)
    (folder / "package.json").write_text('{"type": "module"}')
    return folder


def checked(folder: Path, table: Path) -> subprocess.CompletedProcess[str]:
    """Compare the scripts with a table of test vectors."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node.js is not installed")
    command = [node, str(CHECK), str(scripts(folder)), str(table)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_table_of_test_vectors_is_what_python_computes() -> None:
    stored, made = json.loads(TABLE.read_text()), json.loads(json.dumps(make()))
    assert stored.keys() == made.keys()
    for name, expected in stored.items():
        _agree(made[name], expected)
    made["resamplers"][0]["weight"][0][0] += 0.01
    with pytest.raises(AssertionError):
        _agree(made["resamplers"], stored["resamplers"])


def _agree(found: object, expected: object) -> None:
    if isinstance(expected, dict):
        assert isinstance(found, dict)
        assert found.keys() == expected.keys()
        _agree(list(found.values()), list(expected.values()))
    elif isinstance(expected, list):
        assert isinstance(found, list)
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            _agree(one, other)
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, abs=1e-6)
    else:
        assert found == expected


def test_javascript_computes_the_test_vectors(tmp_path: Path) -> None:
    ran = checked(tmp_path, TABLE)
    assert ran.returncode == 0, ran.stderr
    assert "numbers agree" in ran.stdout


@pytest.mark.parametrize("name", ["resamplers", "scans", "islands", "implausible", "batches"])
def test_javascript_that_computes_something_else_is_found(tmp_path: Path, name: str) -> None:
    table = json.loads(TABLE.read_text())
    first = table[name][0]
    if name == "resamplers":
        first["weight"][0][0] += 0.001
    elif name == "scans":
        first["images"][0][0][0][0][0] += 0.001
    elif name in ("islands", "implausible"):
        first["kept"][0] = 1 - first["kept"][0]
    else:
        first["batches"][0][1] += 1
    (tmp_path / "table.json").write_text(json.dumps(table))
    assert checked(tmp_path, tmp_path / "table.json").returncode != 0


def test_without_the_runtime_the_error_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="npm install onnxruntime-web"):
        write_web_page(tmp_path / "page", tmp_path)
    assert not (tmp_path / "page").exists()


@pytest.mark.parametrize(
    "recipe",
    [
        SliceRecipe(channel_names=("T1", "T2")),
        SliceRecipe(grey_levels="stored"),
        SliceRecipe(labels=LabelScheme(names=("liver", "spleen"))),
    ],
)
def test_networks_that_the_page_does_not_support_are_rejected(recipe: SliceRecipe) -> None:
    with pytest.raises(ConfigError, match="single scan"):
        web_recipe(recipe)


@pytest.mark.slow
def test_the_browser_makes_the_mask_and_asks_no_other_server(
    page: tuple[Path, str], tmp_path: Path
) -> None:
    if not RUNTIME.is_dir():
        pytest.skip("onnxruntime-web is not installed; npm install --no-save onnxruntime-web")
    folder, address = page
    scan = tmp_path / "phantom.nii.gz"
    write_scan(make_phantom(0, shape=(96, 80, 14), spacing_mm=(3.6, 3.6, 14.0)).volume, scan)
    with chromium() as browser:
        write_web_page(folder, RUNTIME)
        window = Page(browser.new_page())
        window.page.goto(address)
        window.page.wait_for_selector("html[data-state=ready]")
        window.drop("phantom.nii.gz", scan.read_bytes())
        window.page.wait_for_selector(
            "html[data-state=done], html[data-state=error]", timeout=200_000
        )
        assert "Liver:" in window.page.inner_text("#status")
        with window.page.expect_download() as download:
            window.page.click("#save")
        download.value.save_as(tmp_path / "mask.nii.gz")
        assert download.value.suggested_filename == "phantom_liver.nii.gz"
    assert not window.errors
    assert all(url.startswith((address, "blob:", "data:")) for url in window.requests)
    mask, image = nib.load(tmp_path / "mask.nii.gz"), nib.load(scan)
    np.testing.assert_array_equal(mask.affine, image.affine)
    expected = Segmenter.load(device="cpu")(scan).mask.labels
    assert expected.any()
    assert (np.asarray(mask.dataobj) != expected).sum() <= 1e-3 * expected.sum()
