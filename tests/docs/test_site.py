"""The documentation builds strictly: links and anchors lead somewhere, and a page asks no other server for anything."""

import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
REFERENCE = runpy.run_path(str(ROOT / "scripts" / "docs_reference.py"))
DRAWINGS = runpy.run_path(str(ROOT / "scripts" / "docs_drawings.py"))
API = runpy.run_path(str(ROOT / "scripts" / "docs_api.py"))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the documentation with its generated pages."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(ROOT / "docs", folder / "docs")
    shutil.copy(ROOT / "zensical.toml", folder)
    for name, text in REFERENCE["pages"]().items():
        (folder / "docs" / "reference" / name).write_text(text, encoding="utf-8")
    return folder


def build(project: Path) -> subprocess.CompletedProcess[str]:
    pytest.importorskip("zensical")
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean"]
    return subprocess.run(command, cwd=project, capture_output=True, text=True)


def test_the_site_builds_without_a_warning(project: Path) -> None:
    done = build(project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (project / "site" / "index.html").exists()


@pytest.mark.parametrize("link", ["[a](nowhere.md)", "[a](get-started.md#nowhere)"])
def test_a_dead_link_fails_the_build(project: Path, link: str) -> None:
    page = project / "docs" / "index.md"
    intact = page.read_text(encoding="utf-8")
    page.write_text(f"{intact}\n\n{link}\n", encoding="utf-8")
    try:
        assert build(project).returncode != 0
    finally:
        page.write_text(intact, encoding="utf-8")


def loaded_elsewhere(html: str) -> Iterator[str]:
    """Addresses on other servers that a browser would load with a page."""
    for tag in re.findall(r"<(?:script|link|img|iframe|source)\b[^>]*>", html):
        if 'rel="canonical"' not in tag and "rel=canonical" not in tag:
            yield from re.findall(r"""(?:src|href)=["']?((?:https?:)?//[^"' >]+)""", tag)


def test_no_page_loads_anything_from_another_server(project: Path) -> None:
    pages = list((project / "site").rglob("*.html"))
    assert pages
    for page in pages:
        assert not list(loaded_elsewhere(page.read_text(encoding="utf-8"))), page.name
    assert list(loaded_elsewhere('<script src="https://cdn.example/x.js">'))


def test_every_page_is_in_the_navigation(project: Path) -> None:
    listed = set(re.findall(r'"([\w/-]+\.md)"', (project / "zensical.toml").read_text()))
    there = {str(path.relative_to(project / "docs")) for path in (project / "docs").rglob("*.md")}
    assert listed == there


def test_every_figure_that_a_page_shows_exists() -> None:
    for page in [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"]:
        for target in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_figure_is_shown_somewhere() -> None:
    text = "".join(
        path.read_text() for path in [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"]
    )
    for path in (ROOT / "docs" / "images").iterdir():
        assert path.name in text, path.name


def test_the_reference_names_every_command_option_and_key() -> None:
    pages = REFERENCE["pages"]()
    assert "`--output-type" in pages["cli.md"].replace("`-ot, ", "`")
    assert "## rma-mamba data check" in pages["cli.md"]
    for table in ("[training]", "[[data.sources]]", "[data.splits.NAME]", "[data.augment]"):
        assert f"### `{table}`" in pages["configuration.md"], table
    assert "### `fine-tune`" in pages["recipes.md"]
    assert "| 4 |" in pages["exit-codes.md"]


def test_signatures_in_the_reference_read_as_code() -> None:
    page = REFERENCE["pages"]()["api.md"]
    assert 'device: str = "auto",' in page
    assert "tta_scales: tuple[float, ...] = (1.0,)," in page
    assert "progress: Progress = ignore_progress," in page
    for noise in (" at 0x", "FieldInfo", "<factory>", "*args, **kwargs"):
        assert noise not in page, noise


def test_every_public_name_has_an_example_in_the_reference() -> None:
    import rma_mamba

    assert set(API["public_names"](rma_mamba)) <= set(API["examples"]())


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/explanation/architecture.md"])
def test_every_file_that_a_page_names_exists(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:[\w.-]+/)+[\w-]+\.(?:py|toml|md))`", text))
    assert len(named) > 5
    for name in named:
        assert (ROOT / name).exists() or (ROOT / "src" / "rma_mamba" / name).exists(), name


def test_every_term_of_the_glossary_is_defined_once_in_alphabetical_order() -> None:
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    terms = re.findall(r"^(\S.*)\n:   ", text, flags=re.M)
    assert len(terms) > 30
    assert terms == sorted(set(terms), key=str.lower)


def test_a_caption_names_the_script_that_draws_the_figure() -> None:
    caption = r"!\[[^\]]*\]\([^)]*/([\w-]+)\.\w+\)\n\n\*[^*]*drawn\b[^*]*by `scripts/(\w+)\.py`"
    found = [
        each
        for page in (ROOT / "docs").rglob("*.md")
        for each in re.findall(caption, page.read_text(encoding="utf-8"), flags=re.IGNORECASE)
    ]
    assert len(found) >= 4
    for figure, script in found:
        code = (ROOT / "scripts" / f"{script}.py").read_text(encoding="utf-8")
        assert f"def {figure.replace('-', '_')}(" in code, f"{figure}: {script}"


def test_the_layers_in_contributing_are_those_of_the_contract() -> None:
    drawn = (
        (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split("```text\n")[1].split("```")[0]
    )
    rows = [set(re.findall(r"\w+", line)) for line in drawn.splitlines()]
    assert rows == [set(row) for row in DRAWINGS["layers"]()]


def test_the_templates_for_issues_are_valid_and_warn_against_patient_data() -> None:
    folder = ROOT / ".github" / "ISSUE_TEMPLATE"
    for path in folder.glob("*.yml"):
        assert yaml.safe_load(path.read_text(encoding="utf-8")), path.name
    for name in ("bug_report.yml", "feature_request.yml"):
        assert "patient data" in (folder / name).read_text(encoding="utf-8")
    text = (folder / "bug_report.yml").read_text(encoding="utf-8")
    assert "rma-mamba info --json" in text
    assert "rma-mamba series FOLDER --json" in text


def test_the_data_tables_that_a_page_shows_are_valid() -> None:
    from rma_mamba.datasets.config import DataConfig

    text = (ROOT / "docs" / "reference" / "training-data.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```toml\n(.*?)```", text, flags=re.DOTALL)
    data = DataConfig.model_validate(tomllib.loads(block)["data"])
    assert data.sources[0].dataset == "mine"
    assert data.splits["mine"].val == ("003", "007")
