"""The files of the page: the pinned 3-D viewer with its licence, and nothing that is loaded from elsewhere."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

import rma_mamba

STATIC = Path(rma_mamba.__file__).parent / "server" / "static"
OWN_FILES = sorted(
    file for file in STATIC.rglob("*.*") if "niivue" not in file.parts and file.is_file()
)
NIIVUE_VERSION = "0.69.0"
NIIVUE_SHA256 = "47b896b77ec4a5be3ef1949c33ad393b6f45629921f326c279000bcf51bdb4af"

_ELSEWHERE = re.compile(r"(?:https?:)?//[\w-]+(?:\.[\w-]+)+[^\s\"'`]*")
_NAMES = ("http://www.w3.org/2000/svg",)  # a name space, not an address
_IMPORTED = re.compile(r"""(?:from|URL\()\s*"(\.{1,2}/[^"]+)""")
_INLINE = re.compile(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", re.IGNORECASE)


def loaded_elsewhere(text: str) -> list[str]:
    """Addresses of other machines in a file."""
    return [found for found in _ELSEWHERE.findall(text) if found not in _NAMES]


def test_niivue_is_the_pinned_release() -> None:
    content = (STATIC / "niivue" / "niivue.umd.js").read_bytes()
    assert hashlib.sha256(content).hexdigest() == NIIVUE_SHA256


def test_the_licence_of_niivue_and_of_what_it_contains_is_beside_it() -> None:
    text = (STATIC / "niivue" / "LICENSE.txt").read_text()
    assert f"NiiVue {NIIVUE_VERSION}" in text
    for words in ("BSD 2-Clause License", "fflate (MIT)", "gl-matrix (MIT)", "zarrita (MIT)"):
        assert words in text


@pytest.mark.parametrize("file", OWN_FILES, ids=lambda file: str(file.relative_to(STATIC)))
def test_no_file_names_another_machine(file: Path) -> None:
    assert loaded_elsewhere(file.read_text()) == []


def test_an_address_of_another_machine_is_found() -> None:
    assert loaded_elsewhere('import "https://cdn.example/x.js"') == ["https://cdn.example/x.js"]
    assert loaded_elsewhere('<link href="//cdn.example/x.css">') == ["//cdn.example/x.css"]


def test_pages_have_neither_script_nor_style_inline() -> None:
    for page in STATIC.glob("*.html"):
        assert _INLINE.findall(page.read_text()) == []
    assert _INLINE.findall('<p style="color: red"><script>alert(1)</script>') != []


def test_every_imported_module_exists() -> None:
    modules = sorted((STATIC / "app").glob("*.js"))
    imported = {
        (file.parent / name).resolve()
        for file in modules
        for name in _IMPORTED.findall(file.read_text())
    }
    assert len(imported) > 20
    assert [path.name for path in imported if not path.is_file()] == []
    unused = {file.resolve() for file in modules} - imported
    assert [path.name for path in unused] == ["main.js"]
