import json
import subprocess
import sys
from importlib.metadata import version

import pytest

HEAVY = ("torch", "numba", "monai", "lightning", "scipy")


def test_the_version_is_that_of_the_package(command) -> None:
    done = command("--version")
    assert (done.code, done.out) == (0, f"rma-mamba {version('rma-mamba')}\n")


@pytest.mark.parametrize("name", ["segment", "train", "evaluate", "score", "info", "demo"])
def test_every_command_has_a_help_text(command, name: str) -> None:
    assert name in command("--help").out
    done = command(name, "--help")
    assert done.code == 0
    assert "--verbose" in done.out


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["segment", "--help"], ["score", "--help"], ["data", "check", "--help"], ["info"]],
    ids=" ".join,
)
def test_help_and_info_import_nothing_heavy(arguments: list[str]) -> None:
    script = (
        "import sys\n"
        "from rma_mamba.cli.run import run\n"
        f"code = run({arguments!r})\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], code, file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stderr == "[] 0\n"
    assert done.stdout


def test_info_names_versions_backends_and_devices(command) -> None:
    shown = command("info")
    found = json.loads(command("info", "--json").out)
    assert found["versions"]["torch"] == version("torch")
    assert found["versions"]["rma-mamba"] == version("rma-mamba")
    assert found["operator_backends"]["reference"] == "ready"
    assert found["devices"]["cpu"]
    for heading, entries in found.items():
        assert heading.replace("_", " ") in shown.out
        for name, value in entries.items():
            assert name in shown.out
            assert value in shown.out


def test_info_states_why_a_backend_cannot_run(command, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "numba" else find_spec(name)
    )
    found = json.loads(command("info", "--json").out)["operator_backends"]
    assert "numba" in found["numba"]
    assert found["numba"].startswith("cannot run")
