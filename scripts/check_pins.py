#!/usr/bin/env python3
"""Check that the versions in constraints.txt are compatible, on every supported platform and Python.

    scripts/check_pins.py            use the metadata of the installed packages; needs no network
    scripts/check_pins.py --index    also let pip resolve all of them against the public index alone

The second part is skipped, with a message, if that index cannot be reached.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from itertools import product
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
PLATFORMS = [("linux", "Linux", "x86_64"), ("linux", "Linux", "aarch64")]
PLATFORMS += [("darwin", "Darwin", "x86_64"), ("darwin", "Darwin", "arm64")]
PYTHONS = ("3.11", "3.12", "3.13", "3.14")

# Not pinned: constraints.txt explains why.
UNPINNED_PREFIXES = ("cuda-", "nvidia-")
UNPINNED_EXTRAS = ("mlflow", "wandb")

INDEX = "https://pypi.org/simple"
INDEX_TIME_LIMIT_S = 240

Environment = dict[str, str]
WithExtras = tuple[str, frozenset[str]]  # a distribution with its extras


@dataclass(frozen=True)
class PinReport:
    """Problems with the pins, and the number of requirements that were compared."""

    problems: list[str]
    compared: int


# -- pins and requirements -------------------------------------------------------------------------


def read_pins(text: str) -> dict[str, Version]:
    """Distributions and versions of a constraints file.

    Raises:
        ValueError: A line does not pin an exact version.
    """
    pins = {}
    for line in text.splitlines():
        if content := line.partition("#")[0].strip():
            requirement = Requirement(content)
            (specifier,) = requirement.specifier
            if specifier.operator != "==":
                raise ValueError(f"{content!r} is not an exact version; write name==version")
            pins[canonicalize_name(requirement.name)] = Version(specifier.version)
    return pins


def read_roots(pyproject: Path) -> list[Requirement]:
    """All requirements of the project, of its build and of its extras, except the unpinned extras."""
    content = tomllib.loads(pyproject.read_text())
    project = content["project"]
    extras = project["optional-dependencies"]
    lines = [*content["build-system"]["requires"], *project["dependencies"]]
    for extra, requirements in extras.items():
        if extra not in UNPINNED_EXTRAS:
            lines += requirements
    found = map(Requirement, lines)
    return [each for each in found if canonicalize_name(each.name) != project["name"]]


def requirements_of(name: str, pin: Version) -> list[Requirement] | None:
    """The requirements of a pinned distribution; None if it is not installed here.

    Raises:
        ValueError: The installed version is not the pinned one.
    """
    if name == "torch":
        table = ROOT / "scripts" / f"torch-{pin.public}-requires.txt"
        if not table.is_file():
            raise ValueError(
                f"{table.relative_to(ROOT)} is missing: list the requirements of torch {pin} in it"
            )
        lines = [line for line in table.read_text().splitlines() if not line.startswith("#")]
        return [Requirement(line) for line in lines]
    try:
        installed = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None
    if Version(installed.version).public != pin.public:
        raise ValueError(f"{name} {installed.version} is installed, {pin} is pinned; run make")
    return [Requirement(line) for line in installed.requires or []]


# -- check without a network -----------------------------------------------------------------------


def environments() -> Iterator[Environment]:
    """The marker environment of every supported platform and Python."""
    here = {key: str(value) for key, value in default_environment().items()}
    for (sys_platform, system, machine), python in product(PLATFORMS, PYTHONS):
        yield here | {
            "sys_platform": sys_platform,
            "platform_system": system,
            "platform_machine": machine,
            "os_name": "posix",
            "platform_python_implementation": "CPython",
            "implementation_name": "cpython",
            "python_version": python,
            "python_full_version": f"{python}.9",
            "implementation_version": f"{python}.9",
        }


def applies(requirement: Requirement, environment: Environment, extras: Iterable[str]) -> bool:
    """Whether a requirement applies in an environment, for a distribution with these extras."""
    marker = requirement.marker
    return marker is None or any(
        marker.evaluate(environment | {"extra": extra}) for extra in ("", *extras)
    )


def check_pins(pins: Mapping[str, Version], roots: list[Requirement]) -> PinReport:
    """Follow the requirements from the roots through the pinned versions in every environment."""
    check = _Walk(pins)
    for environment in environments():
        check.follow("rma-mamba", roots, environment, frozenset())
        check.walk(environment)
    stale = sorted(set(pins) - check.reached)
    problems = [*check.problems, *(f"{name} is pinned, and nothing requires it" for name in stale)]
    return PinReport(problems, len(check.compared))


class _Walk:
    """A walk through the requirements, and what it has found so far."""

    def __init__(self, pins: Mapping[str, Version]) -> None:
        self.pins = pins
        self.problems: dict[str, None] = {}  # in order, each once
        self.compared: set[tuple[str, str]] = set()
        self.reached: set[str] = set()
        self._pending: list[WithExtras] = []

    def walk(self, environment: Environment) -> None:
        """Follow the pending requirements until none is left."""
        seen: set[WithExtras] = set()
        while self._pending:
            wanted = self._pending.pop()
            if wanted not in seen:
                seen.add(wanted)
                name, extras = wanted
                self.follow(name, self._requirements(name), environment, extras)

    def follow(
        self,
        name: str,
        requirements: list[Requirement],
        environment: Environment,
        extras: frozenset[str],
    ) -> None:
        """Compare the requirements of one distribution with the pins."""
        for requirement in requirements:
            if applies(requirement, environment, extras):
                self._compare(name, requirement)

    def _requirements(self, name: str) -> list[Requirement]:
        try:
            return requirements_of(name, self.pins[name]) or []
        except ValueError as error:
            self.problems[str(error)] = None
            return []

    def _compare(self, name: str, requirement: Requirement) -> None:
        needed = canonicalize_name(requirement.name)
        if needed.startswith(UNPINNED_PREFIXES):
            return
        self.compared.add((name, str(requirement)))
        self.reached.add(needed)
        pin = self.pins.get(needed)
        if pin is None:
            self.problems[f"{name} requires {requirement}, which is not pinned"] = None
            return
        if not requirement.specifier.contains(pin, prereleases=True):
            self.problems[f"{name} requires {requirement}; pinned is {needed}=={pin}"] = None
        self._pending.append((needed, frozenset(requirement.extras)))


# -- check against the public index ----------------------------------------------------------------


def resolve_from_index(constraints: Path, roots: list[Requirement]) -> tuple[bool, str]:
    """Let pip resolve the pins from the metadata of the public index alone; nothing is installed.

    Returns:
        Whether the check passed, and a line to print. It passes if the index cannot be reached.
    """
    try:
        probe = _pip("--no-deps", "--timeout=10", "--retries=0", "iniconfig")
        if probe.returncode:
            return True, f"skipped: {INDEX} cannot be reached"
        with tempfile.TemporaryDirectory() as folder:
            wanted = Path(folder, "requirements.txt")
            wanted.write_text("\n".join(map(str, roots)))
            done = _pip("--constraint", str(constraints), "--requirement", str(wanted))
    except subprocess.TimeoutExpired:
        return True, f"skipped: {INDEX} did not answer within {INDEX_TIME_LIMIT_S} s"
    if done.returncode:
        return False, done.stderr.strip()
    return True, f"pip resolves all pins from {INDEX} alone"


def _pip(*arguments: str) -> subprocess.CompletedProcess[str]:
    # The pip configuration of this machine may name folders of wheels or other indexes.
    settings = {key: value for key, value in os.environ.items() if key != "PIP_NO_INDEX"}
    settings |= {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": INDEX,
        "PIP_EXTRA_INDEX_URL": "",
        "PIP_FIND_LINKS": "",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    options = ["--quiet", "--dry-run", "--ignore-installed", "--use-feature=fast-deps"]
    command = [sys.executable, "-m", "pip", "install", *options, *arguments]
    return subprocess.run(
        command,
        env=settings,
        capture_output=True,
        text=True,
        timeout=INDEX_TIME_LIMIT_S,
        check=False,
    )


def main(arguments: list[str]) -> int:
    """Print the problems; return 1 if there are any."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--index", action="store_true", help="also resolve from the public index")
    parser.add_argument("--constraints", type=Path, default=ROOT / "constraints.txt")
    options = parser.parse_args(arguments)
    roots = read_roots(ROOT / "pyproject.toml")
    found = check_pins(read_pins(options.constraints.read_text()), roots)
    print(*found.problems, sep="\n", end="\n" if found.problems else "")
    print(f"{found.compared} requirements compared with the pins, {len(found.problems)} problems")
    passed = not found.problems
    if options.index:
        resolved, line = resolve_from_index(options.constraints, roots)
        print(line)
        passed = passed and resolved
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
