"""Documentation, docstrings, comments, messages and help texts avoid the wordings of tests/docs/words.toml."""

import io
import re
import tokenize
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LISTS = tomllib.loads((Path(__file__).parent / "words.toml").read_text(encoding="utf-8"))
WORDS, IDENTIFIERS = LISTS["word"], LISTS["identifier"]
PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    ".github/**/*.md",
    ".github/**/*.yml",
    "docs/**/*.md",
    "src/**/*.md",
)
CODE = (
    "src/**/*.py",
    "examples/*.py",
    "benchmarks/*.py",
    "scripts/*.py",
    "scripts/fuzz",
    "tests/support/*.py",
)
OTHERS = (
    "src/**/*.toml",
    "src/**/*.html",
    "src/**/static/app/*.js",
    "src/**/static/*.css",
    "Makefile",
    "Containerfile",
    "pyproject.toml",
    "zensical.toml",
    "scripts/check",
    "scripts/install",
    "scripts/wheelhouse",
)
EXEMPT: tuple[str, ...] = ()  # paths that may use the words, with a reason; keep it empty


def prose_of_code(text: str) -> Iterator[tuple[int, str]]:
    """Comments and strings of Python code, with the number of their first line."""
    kinds = {
        tokenize.COMMENT,
        tokenize.STRING,
        getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING),
    }
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in kinds:
            yield token.start[0], token.string


def findings(text: str, *, code: bool = False) -> Iterator[str]:
    """Every unwanted wording in a text, with its line and a better one."""
    pieces = prose_of_code(text) if code else [(1, text)]
    for line, piece in pieces:
        # a phrase may continue on the next line of a docstring, a paragraph or a comment
        joined = re.sub(r"\n[ \t>#*]*", lambda found: "\n" + " " * (len(found[0]) - 1), piece)
        for word in WORDS:
            for found in re.finditer(
                word["find"].replace(" ", r"\s+"), joined, flags=re.IGNORECASE
            ):
                at = line + joined.count("\n", 0, found.start())
                yield f"line {at}: '{' '.join(found[0].split())}'; write: {word['write']}"


def unwanted_names(text: str) -> Iterator[str]:
    """Every unwanted name in code, with its line and a better one; names in strings may be deprecated aliases."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        for each in IDENTIFIERS:
            if token.type == tokenize.NAME and re.fullmatch(each["find"], token.string):
                yield f"line {token.start[0]}: '{token.string}'; write: {each['write']}"


def files(patterns: tuple[str, ...]) -> list[Path]:
    found = (path for pattern in patterns for path in sorted(ROOT.glob(pattern)))
    return [path for path in found if str(path.relative_to(ROOT)) not in EXEMPT]


@pytest.mark.parametrize(("patterns", "code"), [(PAGES, False), (CODE, True), (OTHERS, False)])
def test_no_unwanted_wording(patterns: tuple[str, ...], code: bool) -> None:
    paths = files(patterns)
    assert paths
    found = [
        f"{path.relative_to(ROOT)}, {each}"
        for path in paths
        for each in findings(path.read_text(encoding="utf-8"), code=code)
    ]
    assert not found, "\n".join(["", *found])


def test_no_unwanted_name_in_code() -> None:
    found = [
        f"{path.relative_to(ROOT)}, {each}"
        for path in files(CODE)
        for each in unwanted_names(path.read_text(encoding="utf-8"))
    ]
    assert not found, "\n".join(["", *found])
    assert list(unwanted_names("x = 1\nshipped_recipes()\n")) == [
        "line 2: 'shipped_recipes'; write: bundled_..."
    ]
    assert not list(unwanted_names('old = {"shipped_recipes": new}\n'))


def test_every_script_is_checked() -> None:
    scripts = {path for path in (ROOT / "scripts").iterdir() if path.suffix in ("", ".py")}
    assert {path for path in scripts if path.is_file()} <= {*files(CODE), *files(OTHERS)}


def test_an_unwanted_wording_is_found_in_code_and_across_lines() -> None:
    assert list(
        findings('x = 1  # told\n"""The modality is told\n    from the scan."""\n', code=True)
    ) == ["line 2: 'told from'; write: detected from, distinguished, reported"]
    assert not list(findings("told_from = leaks = 1\n", code=True))
    assert list(findings("This is no DICOM."))
    assert list(findings('help="Of a 4-D scan: the volume"'))
    assert not list(findings("Volume of a 4-D scan, from 1"))
    assert not list(findings("There is no such file, and no liver was found."))


def test_every_word_of_the_list_is_a_valid_expression_with_an_alternative() -> None:
    for word in [*WORDS, *IDENTIFIERS]:
        assert re.compile(word["find"])
        assert word["write"]
