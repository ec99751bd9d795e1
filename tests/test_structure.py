"""The structure of the source tree: no import circle, one idea per file name, tests for every layer."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import grimp
import networkx as nx
import pytest

import rma_mamba

SOURCE = Path(rma_mamba.__file__).parent
TESTS = Path(__file__).parent
LEAST_TEST_LINES = 0.4  # per line of source
ONE_IDEA = {"config", "__init__", "__main__"}  # pydantic models of a package; Python's own names
LAYERS = sorted(path.name for path in SOURCE.iterdir() if any(path.rglob("*.py")) and path.is_dir())


def circles(imports: list[tuple[str, str]]) -> list[list[str]]:
    """Groups of modules that import each other, directly or through others."""
    groups = nx.strongly_connected_components(nx.DiGraph(imports))
    return [sorted(group) for group in groups if len(group) > 1]


def shared_names(files: list[Path]) -> dict[str, list[Path]]:
    """File names that stand for two ideas. A command may be named after the file that does its work."""
    places = defaultdict(list)
    for file in files:
        if file.stem not in ONE_IDEA and file.parts[0] != "cli":
            places[file.stem].append(file)
    return {name: found for name, found in places.items() if len(found) > 1}


def lines_in(folder: Path) -> int:
    """Lines of Python in and below a folder; 0 if there is none."""
    return sum(len(file.read_text().splitlines()) for file in folder.rglob("*.py"))


def test_no_module_imports_itself_through_others() -> None:
    # imports for type checkers count as well: a reader follows them like all others
    graph = grimp.build_graph("rma_mamba", exclude_type_checking_imports=False, cache_dir=None)
    imports = [
        (module, imported)
        for module in graph.modules
        for imported in graph.find_modules_directly_imported_by(module)
    ]
    assert len(imports) > 100
    assert circles(imports) == []


def test_a_circle_of_imports_is_found() -> None:
    assert circles([("a", "b"), ("b", "c"), ("c", "a"), ("c", "d")]) == [["a", "b", "c"]]


def test_a_file_name_stands_for_one_idea() -> None:
    assert shared_names([file.relative_to(SOURCE) for file in SOURCE.rglob("*.py")]) == {}


def test_a_file_name_used_twice_is_found() -> None:
    twice = [Path("scans/report.py"), Path("reporting/report.py")]
    assert shared_names([*twice, Path("cli/report.py"), Path("ops/config.py")]) == {"report": twice}


@pytest.mark.parametrize("layer", LAYERS)
def test_every_layer_has_enough_tests(layer: str) -> None:
    source, tests = lines_in(SOURCE / layer), lines_in(TESTS / layer)
    assert tests >= LEAST_TEST_LINES * source, f"{layer}: {tests} test lines for {source} of source"


def test_commands_are_short() -> None:
    """A command parses, calls the pipeline and prints; `segment` alone has more options than fit."""
    long = {
        str(file.relative_to(SOURCE)): len(file.read_text().splitlines())
        for file in (SOURCE / "cli").rglob("*.py")
        if file.name != "segment.py"
    }
    assert {name: count for name, count in long.items() if count >= 60} == {}
