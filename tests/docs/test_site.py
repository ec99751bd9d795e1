"""The documentation builds strictly: links and anchors lead somewhere, and a page asks no other server for anything."""

import html
import importlib
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
    """A copy of the documentation."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(ROOT / "docs", folder / "docs")
    shutil.copy(ROOT / "zensical.toml", folder)
    return folder


@pytest.mark.parametrize("name", REFERENCE["pages"]())
def test_a_generated_page_is_up_to_date(name: str) -> None:
    written = (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8")
    hint = "run `python scripts/docs_reference.py`"
    assert written == REFERENCE["pages"]()[name], hint


def build(project: Path) -> subprocess.CompletedProcess[str]:
    pytest.importorskip("zensical")
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean"]
    return subprocess.run(command, cwd=project, capture_output=True, text=True)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site, from a copy of the documentation of its own."""
    folder = tmp_path_factory.mktemp("built")
    shutil.copytree(ROOT / "docs", folder / "docs")
    shutil.copy(ROOT / "zensical.toml", folder)
    done = build(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "site"


def test_the_site_builds_without_a_warning(site: Path) -> None:
    assert (site / "index.html").exists()


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


def test_no_page_loads_anything_from_another_server(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert pages
    for page in pages:
        assert not list(loaded_elsewhere(page.read_text(encoding="utf-8"))), page.name
    assert list(loaded_elsewhere('<script src="https://cdn.example/x.js">'))


def test_every_page_is_in_the_navigation(project: Path) -> None:
    listed = set(re.findall(r'"([\w/-]+\.md)"', (project / "zensical.toml").read_text()))
    there = {str(path.relative_to(project / "docs")) for path in (project / "docs").rglob("*.md")}
    assert listed == there


def test_every_figure_that_a_page_shows_exists() -> None:
    assert not REFERENCE["dead_images"](ROOT / "docs")
    for target in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", (ROOT / "README.md").read_text("utf-8")):
        assert (ROOT / target).exists(), target


def test_an_image_that_does_not_exist_fails_make_docs(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docs = shutil.copytree(project / "docs", tmp_path / "docs")
    with (docs / "gallery.md").open("a") as page:
        page.write("\n![a figure](images/nowhere.png)\n")
    assert REFERENCE["dead_images"](docs) == ["gallery.md: images/nowhere.png"]
    monkeypatch.setitem(
        REFERENCE["main"].__globals__, "dead_images", lambda docs: ["a page: an image"]
    )
    monkeypatch.setattr(sys, "argv", ["docs_reference.py", str(tmp_path / "pages")])
    with pytest.raises(SystemExit, match="a page: an image"):
        REFERENCE["main"]()


def test_text_with_brackets_and_bars_is_shown_as_written(site: Path) -> None:
    page = (site / "reference" / "cli.html").read_text(encoding="utf-8")
    shown = html.unescape(re.sub(r"<[^>]+>", "", page))
    assert "folder for <case>/liver.nii.gz." in shown
    assert "--volume N|all" in shown
    assert "-h, --help" in shown
    assert "* marks the series" in shown
    assert "\\|" not in shown


def test_links_between_pages_lead_to_files_of_the_repository() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if tracked.returncode:
        pytest.skip("not a git checkout")
    there = {(ROOT / name).resolve() for name in tracked.stdout.splitlines()}
    for page in (path for path in there if path.suffix == ".md" and ".github" not in path.parts):
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
            if "://" not in target and not target.startswith("mailto:"):
                path = (page.parent / target).resolve()
                assert path in there or path.is_dir(), f"{page.name}: {target}"


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
    for name in API["MODULES"]:
        missing = set(API["public_names"](importlib.import_module(name))) - set(API["examples"]())
        assert not missing, name


def test_every_entry_of_the_api_reference_shows_an_example_with_its_imports() -> None:
    entries = re.split(r"^### ", REFERENCE["pages"]()["api.md"], flags=re.M)[1:]
    assert len(entries) > 90
    for entry in entries:
        (example,) = re.findall(r"\*\*Example\*\*\n\n```python\n(.*?)```", entry, flags=re.S)
        assert "import" in example, entry.splitlines()[0]


def test_the_reference_lists_exit_codes_and_fields_of_the_slice_recipe() -> None:
    page = REFERENCE["pages"]()["api.md"]
    assert "| `BAD_INPUT` | 4 |" in page
    assert "| `tta_scales` |" in page


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
