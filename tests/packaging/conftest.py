"""The wheel and the sdist, built once, and an environment that holds the wheel and not this repository."""

import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Artefacts:
    """The built files."""

    wheel: Path
    sdist: Path


def build(source: Path, folder: Path, *targets: str) -> None:
    """Build with the installed hatchling; needs no network."""
    chosen = [option for target in targets for option in ("-t", target)]
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder), *chosen]
    subprocess.run(command, cwd=source, check=True, capture_output=True)


@pytest.fixture(scope="session")
def artefacts(tmp_path_factory: pytest.TempPathFactory) -> Artefacts:
    """The sdist of this tree, and the wheel of that sdist."""
    folder = tmp_path_factory.mktemp("dist")
    build(ROOT, folder, "sdist")
    (sdist,) = folder.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    build(folder / sdist.name.removesuffix(".tar.gz"), folder, "wheel")
    (wheel,) = folder.glob("*.whl")
    return Artefacts(wheel, sdist)


@dataclass(frozen=True)
class Environment:
    """A virtual environment."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def site_packages(self) -> Path:
        (found,) = self.folder.glob("lib/python*/site-packages")
        return found

    def run(
        self, command: Sequence[str | Path], cwd: Path, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment (or an absolute path) in a folder outside the repository."""
        settings = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        program = self.folder / "bin" / command[0]
        return subprocess.run(
            [program, *command[1:]],
            cwd=cwd,
            env=settings | variables,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="session")
def installed(artefacts: Artefacts, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The wheel in a new environment; its dependencies are those of this one."""
    environment = Environment(tmp_path_factory.mktemp("fresh") / "venv")
    venv.create(environment.folder, with_pip=False, symlinks=True)
    # Python searches a folder named in a .pth file last, and reads no .pth file in it: no editable install is found.
    (environment.site_packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    pip = [sys.executable, "-m", "pip", "--python", str(environment.python), "install"]
    options = ["--quiet", "--no-deps", "--no-index", "--ignore-installed", "--no-compile"]
    subprocess.run([*pip, *options, str(artefacts.wheel)], check=True, capture_output=True)
    return environment


@pytest.fixture
def python(installed: Environment, tmp_path: Path) -> Callable[[str], str]:
    """Runs a script with the installed wheel; what it printed."""

    def run(script: str) -> str:
        done = installed.run(["python", "-c", script], tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
