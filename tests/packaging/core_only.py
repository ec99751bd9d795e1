"""Runs commands in one process that can import the core's libraries only; prints how each ended, as JSON.

Started by test_core_only.py: python core_only.py '[["segment", ...], ...]'
"""

import importlib.metadata
import io
import json
import re
import sys
import tomllib
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def core_distributions() -> set[str]:
    """rma-mamba and what it requires without any extra, as far as that goes."""
    found = {"rma-mamba"}
    pyproject = Path(__file__).resolve().parents[2] / "pyproject.toml"
    core = tomllib.loads(pyproject.read_text())["project"]["dependencies"]
    ahead = [Requirement(line).name for line in core]
    while ahead:
        name = canonicalize_name(ahead.pop())
        if name in found:
            continue
        try:
            lines = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        found.add(name)
        requirements = map(Requirement, lines)
        ahead += [r.name for r in requirements if not r.marker or r.marker.evaluate({"extra": ""})]
    return found


def other_modules() -> frozenset[str]:
    """Top-level modules of everything else that is installed."""
    core = core_distributions()
    return frozenset(
        module
        for module, owners in importlib.metadata.packages_distributions().items()
        if not core & {canonicalize_name(owner) for owner in owners}
    )


class Without:
    """A finder of modules that does not find some, as if they were not installed."""

    def __init__(self, finder: Any, hidden: frozenset[str]) -> None:
        self.finder, self.hidden = finder, hidden

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name.partition(".")[0] not in self.hidden:
            return self.finder.find_spec(name, path, target)
        return None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.finder, name)


def main() -> None:
    hidden = other_modules()
    for name in [name for name in sys.modules if name.partition(".")[0] in hidden]:
        del sys.modules[name]
    sys.meta_path[:] = [Without(finder, hidden) for finder in sys.meta_path]
    from rma_mamba.cli.run import run

    ends = []
    for arguments in json.loads(sys.argv[1]):
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = run(arguments)
        text = re.sub(r"[^\n]*\r", "", err.getvalue())
        loaded = sorted({name.partition(".")[0] for name in sys.modules})
        ends.append({"code": code, "out": out.getvalue(), "err": text, "loaded": loaded})
    json.dump({"hidden": sorted(hidden), "ends": ends}, sys.stdout)


main()
