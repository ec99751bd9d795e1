"""The help of every command."""

import re
from pathlib import Path

import pytest
import typer.main

import rma_mamba.cli
from rma_mamba.cli.app import app
from rma_mamba.datasets.layouts import LAYOUTS
from rma_mamba.pipeline.output_types import OUTPUT_TYPES, SELECTABLE
from rma_mamba.scans.writers import MASK_SUFFIXES
from rma_mamba.training import bundled_recipes

GROUP = typer.main.get_command(app)
COMMANDS = {name: each for name, each in GROUP.commands.items() if name != "data"}
COMMANDS |= {f"data {name}": each for name, each in GROUP.commands["data"].commands.items()}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_documented_in_a_sentence(name: str) -> None:
    for parameter in COMMANDS[name].params:
        if not getattr(parameter, "hidden", False):
            text = parameter.help or ""
            assert re.match(r"[A-Za-z_]", text), parameter.name
            assert "." in text, parameter.name


@pytest.mark.parametrize("name", COMMANDS)
def test_the_summary_of_a_command_is_not_cut_off(command, name: str) -> None:
    *above, last = name.split()
    listed = command(*above, "--help").out
    (line,) = re.findall(rf"^  {last}  .*$", listed, flags=re.MULTILINE)
    assert line.endswith(".")
    assert not line.endswith("...")


def test_options_of_segment_are_in_sections_and_the_others_at_the_end(command) -> None:
    text = command("segment", "--help").out
    headings = re.findall(r"^([A-Z][\w ]*):$", text, flags=re.MULTILINE)
    assert headings == [
        *("Input", "Output", "Network", "Patient", "Folders of scans", "Archive", "Options")
    ]
    assert text.index("--height-cm") > text.index("Patient:")
    assert text.index("--quiet") > text.index("Options:")


def test_the_help_lists_every_output_type(command) -> None:
    text = " ".join(command("segment", "--help").out.split())
    assert f"comma-separated: {', '.join(SELECTABLE)}." in text
    assert f"Mask file ({', '.join(MASK_SUFFIXES)})" in text
    for each in OUTPUT_TYPES.values():
        assert each.option in text


@pytest.mark.parametrize("name", COMMANDS)
def test_placeholders_are_words_and_not_python_types(command, name: str) -> None:
    text = command(*name.split(), "--help").out.replace("<case>", "")
    assert not re.search(r"<[\w,|\[\] ]+>|[{}]", text)


def test_the_help_lists_every_bundled_recipe(command) -> None:
    text = " ".join(command("train", "--help").out.split()).replace("- ", "-")
    for name in bundled_recipes():
        known = "ablation-1 to ablation-6" if name.startswith("ablation-") else name
        assert known in text, name


def test_the_help_lists_every_layout(command) -> None:
    text = " ".join(command("data", "check", "--help").out.split())
    assert ", ".join(LAYOUTS) in text


def test_deprecated_options_are_hidden(command) -> None:
    assert "--frame" not in command("segment", "--help").out
    assert "--side" not in command("evaluate", "--help").out


def test_a_command_is_a_short_file() -> None:
    for path in Path(rma_mamba.cli.__file__).parent.rglob("*.py"):
        if path.name != "segment.py":
            assert len(path.read_text().splitlines()) < 60, path.name
