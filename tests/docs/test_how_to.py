"""The commands and the code of the guides and of the API reference run as they are printed."""

import doctest
import importlib
import json
import re
import runpy
import shlex
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import fields
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rma_mamba
from clinical_series import clinical_series
from dicom_series import save
from known_maps import maps_computed_once
from news import IGNORED
from rma_mamba.cli.run import run
from rma_mamba.reporting import Quantities
from rma_mamba.scans import read_scan, write_mask, write_scan
from rma_mamba.volume import Mask

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
API = runpy.run_path(str(ROOT / "scripts" / "docs_api.py"))
GUIDES = (
    "get-started.md",
    "how-to/segment-one-scan.md",
    "how-to/choose-a-dicom-series.md",
    "how-to/dicom-outputs.md",
    "how-to/convert-masks.md",
    "how-to/report.md",
    "how-to/measure-and-score.md",
    "how-to/report-a-problem.md",
)

pytestmark = [
    *IGNORED,
    pytest.mark.slow,
    pytest.mark.skipif(
        not any(files("rma_mamba").glob("weights/*.safetensors")),  # type: ignore[attr-defined]
        reason="no trained weights are embedded yet",
    ),
]


def blocks(page: str, language: str) -> list[str]:
    """The code blocks of a page in one language."""
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text(), flags=re.DOTALL)


@pytest.fixture(scope="module", autouse=True)
def computed_once() -> Iterator[None]:
    with maps_computed_once():
        yield


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the guides start from: series/, study/, scan.nii.gz, liver.nii.gz, images/, reference/, ours/, other/."""
    folder = tmp_path_factory.mktemp("example")
    volume = read_scan(save(folder / "series", clinical_series()))
    shutil.copytree(folder / "series", folder / "study")
    write_scan(volume, folder / "scan.nii.gz")
    labels = np.zeros(volume.geometry.shape, np.uint8)
    labels[5:15, 5:20, 2:9] = 1
    write_mask(Mask(labels, volume.geometry), folder / "liver.nii.gz")
    (folder / "images").mkdir()
    shutil.copy(folder / "scan.nii.gz", folder / "images" / "case_01.nii.gz")
    for name in ("reference", "ours", "other"):
        (folder / name).mkdir()
        shutil.copy(folder / "liver.nii.gz", folder / name / "case_01.nii.gz")
    return folder


@pytest.fixture
def here(example: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the example as the current folder."""
    shutil.copytree(example, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


def commands(page: str) -> Iterator[list[str]]:
    """The arguments of every `rma-mamba` in the page's blocks."""
    for line in "\n".join(blocks(page, "bash")).splitlines():
        if line.startswith("rma-mamba "):
            yield shlex.split(line, comments=True)[1:]


@pytest.mark.parametrize("page", GUIDES)
def test_the_commands_of_a_guide_run(here: Path, page: str) -> None:
    found = list(commands(page))
    assert found
    for arguments in found:
        assert run(arguments) == 0, " ".join(arguments)


@pytest.mark.parametrize("page", [page for page in GUIDES if blocks(page, "python")])
def test_the_code_of_a_guide_runs(here: Path, page: str) -> None:
    for code in blocks(page, "python"):
        exec(compile(code, page, "exec"), {})


def test_each_example_of_the_api_reference_runs_on_its_own(here: Path) -> None:
    for names, code in API["sections"]():
        exec(compile(code, names, "exec"), {"__name__": "example"})
    assert (here / "liver_copy.nii.gz").exists()


def docstring_examples(name: str) -> doctest.DocTest:
    """The examples in the docstring of a public name, with the names of its module."""
    value = getattr(rma_mamba, name)
    names = dict(vars(importlib.import_module(value.__module__)))
    return doctest.DocTestParser().get_doctest(value.__doc__ or "", names, name, None, 0)


def test_the_examples_in_docstrings_run(here: Path) -> None:
    for name in ("one", "two"):
        shutil.copy("scan.nii.gz", f"{name}.nii.gz")
    shared = {"rma_mamba": rma_mamba, "result": rma_mamba.segment("scan.nii.gz", device="cpu")}
    tests = [
        docstring_examples(name) for name in rma_mamba.__all__ if callable(getattr(rma_mamba, name))
    ]
    assert sum(bool(test.examples) for test in tests) >= 5
    for test in tests:
        for example in test.examples:
            test.globs.update(
                {key: value for key, value in shared.items() if key not in test.globs}
            )
            exec(compile(example.source, test.name, "single"), test.globs)


@pytest.mark.parametrize("name", ["Geometry", "Mask", "SliceRecipe", "Volume"])
def test_the_examples_in_docstrings_print_what_they_say(name: str) -> None:
    test = docstring_examples(name)
    assert test.examples
    assert doctest.DocTestRunner(verbose=False).run(test).failed == 0


def flattened(content: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Names of the fields of a JSON object, one level deep."""
    for name, value in content.items():
        yield prefix + name
        if isinstance(value, dict) and not prefix and name == "quality":
            yield from flattened(value, f"{name}.")


def undocumented(names: Iterator[str]) -> set[str]:
    """Fields that the page on outputs, and the one on measurements, do not name."""
    text = "".join(
        (DOCS / "reference" / f"{page}.md").read_text() for page in ("outputs", "measurements")
    )
    return {name for name in names if f"`{name}`" not in text}


def test_every_field_of_the_output_files_is_documented(here: Path) -> None:
    assert run(shlex.split("segment -i scan.nii.gz -o out -s -ot nifti,json")) == 0
    for name in ("statistics", "measurements", "run"):
        content = json.loads((here / "out" / "scan" / f"{name}.json").read_text())
        assert not undocumented(flattened(content)), name
    assert undocumented(iter(["no_such_field"]))


def test_every_measurement_has_its_unit_in_its_name() -> None:
    units = ("_ml", "_mm", "_mm2", "_hu", "_au", "_ratio", "warnings")
    assert all(field.name.endswith(units) for field in fields(Quantities))


def test_every_environment_variable_is_documented() -> None:
    page = (DOCS / "reference" / "environment.md").read_text()
    text = "".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    names = set(
        re.findall(r"""environ(?:\.get\(|\[)["']([A-Z_]+)["']|["'](RMA_MAMBA_[A-Z]+)["']""", text)
    )
    assert names
    for name in ("".join(pair) for pair in names):
        assert f"`{name}`" in page, name


def test_every_quality_flag_is_explained() -> None:
    page = (DOCS / "explanation" / "quality.md").read_text()
    text = "".join(
        path.read_text() for path in (ROOT / "src/rma_mamba/reporting").glob("quality*.py")
    )
    codes = re.findall(r'Flag\(\s*"(\w+)"', text)
    assert len(codes) >= 15
    for code in codes:
        assert f"`{code}`" in page, code
