"""Documentation, docstrings, comments, messages and help texts avoid the wordings of tests/docs/words.toml."""

import io
import re
import tokenize
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WORDS = tomllib.loads((Path(__file__).parent / "words.toml").read_text(encoding="utf-8"))["word"]
PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    ".github/**/*.md",
    ".github/**/*.yml",
    "docs/**/*.md",
    "src/**/*.md",
)
CODE = ("src/**/*.py", "examples/*.py", "benchmarks/*.py", "scripts/*.py")
RECIPES = ("src/**/*.toml", "Makefile", "pyproject.toml", "zensical.toml")
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


def files(patterns: tuple[str, ...]) -> list[Path]:
    found = (path for pattern in patterns for path in sorted(ROOT.glob(pattern)))
    return [path for path in found if str(path.relative_to(ROOT)) not in EXEMPT]


@pytest.mark.parametrize(("patterns", "code"), [(PAGES, False), (CODE, True), (RECIPES, False)])
def test_no_unwanted_wording(patterns: tuple[str, ...], code: bool) -> None:
    paths = files(patterns)
    assert paths
    found = [
        f"{path.relative_to(ROOT)}, {each}"
        for path in paths
        for each in findings(path.read_text(encoding="utf-8"), code=code)
    ]
    assert not found, "\n".join(["", *found])


def test_an_unwanted_wording_is_found_in_code_and_across_lines() -> None:
    assert list(
        findings('x = 1  # told\n"""The modality is told\n    from the scan."""\n', code=True)
    ) == ["line 2: 'told from'; write: detected from, distinguished, reported"]
    assert not list(findings("told_from = leaks = 1\n", code=True))
    assert list(findings("This is no DICOM."))
    assert not list(findings("There is no such file, and no liver was found."))


def test_every_word_of_the_list_is_a_valid_expression_with_an_alternative() -> None:
    for word in WORDS:
        assert re.compile(word["find"])
        assert word["write"]
