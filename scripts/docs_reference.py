"""Write the pages of docs/reference that are generated from code: API, command line, configuration, flags, exit codes.

The changelog, the guide for contributors and the model card become pages as well.

    python scripts/docs_reference.py [FOLDER]

They are written into docs/reference (or FOLDER) and are checked in, so that links to them work on a repository host;
a test finds pages that are not up to date. `make docs` runs this script first. The exit code is 1 if a page shows an
image that does not exist.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import typing
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from importlib.resources import files
from pathlib import Path
from types import UnionType
from typing import Any

import docs_api
import typer
from docs_api import ROOT, cell
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

NOTE = "<!-- Written by scripts/docs_reference.py from the code. Edit the code, not this page. -->"


def main() -> None:
    """Write all pages into the folder of the command line, or into docs/reference."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "reference"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")
    if dead := dead_images(ROOT / "docs"):
        sys.exit("\n".join(["images that do not exist:", *dead]))


def dead_images(docs: Path) -> list[str]:
    """Images that a page shows but that do not exist, as "page: image"; the site generator does not check them."""
    return [
        f"{page.relative_to(docs)}: {target}"
        for page in sorted(docs.rglob("*.md"))
        for target in re.findall(r"!\[[^\]]*\]\(([^)\s]+)", page.read_text(encoding="utf-8"))
        if "://" not in target and not (page.parent / target).exists()
    ]


def pages() -> dict[str, str]:
    """The generated pages by file name."""
    return {name: f"{NOTE}\n\n{text}" for name, text in _pages().items()}


def _pages() -> dict[str, str]:
    return {
        "api.md": docs_api.page(),
        "cli.md": command_line(),
        "configuration.md": configuration(),
        "node-configuration.md": node_configuration(),
        "recipes.md": recipes(),
        "flags.md": flags(),
        "exit-codes.md": exit_codes(),
        "changelog.md": copied("CHANGELOG.md"),
        "contributing.md": copied("CONTRIBUTING.md"),
        "model-card.md": copied("src/rma_mamba/weights/README.md"),
    }


def copied(path: str) -> str:
    """A file from outside docs/, with its links rewritten for docs/reference."""
    text = (ROOT / path).read_text(encoding="utf-8")
    text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.S)  # the model card's metadata
    text = re.sub(r"\]\((?:\.\./)*docs/", "](../", text)
    return re.sub(r"\[([^\]]+)\]\((?!http|#|\.\./)[^)]*\)", r"\1", text)


# Command line


def command_line() -> str:
    """One section for each command, from the parser itself."""
    from rma_mamba.cli.app import app

    root = typer.main.get_command(app)
    context = root.make_context("rma-mamba", [], resilient_parsing=True)
    parts = [
        "# Command line",
        "Every command and option of `rma-mamba`, as `--help` prints them. Options may be written with hyphens or "
        "underscores (`--output-type`, `--output_type`). Progress and warnings go to stderr; stdout is for data. "
        "[Exit codes](exit-codes.md) are the same for all commands.",
        *(_command(command, path, context) for path, command in _commands(root, "rma-mamba")),
    ]
    return "\n\n".join(parts) + "\n"


def _commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    children = getattr(command, "commands", None)
    if children is None:
        yield path, command
        return
    for name, child in children.items():
        if not child.hidden:
            yield from _commands(child, f"{path} {name}")


def _command(command: Any, path: str, root: Any) -> str:
    context = command.make_context(path, [], parent=root, resilient_parsing=True)
    usage = " ".join([path, *command.collect_usage_pieces(context)])
    tables = [
        f"| {heading} | |\n|---|---|\n"
        + "\n".join(f"| {docs_api.code(names.strip())} | {cell(text)} |" for names, text in records)
        for heading, records in _groups(command, context).items()
        if records
    ]
    return "\n\n".join(
        [f"## {path}", f"```text\n{usage}\n```", _paragraphs(command.help or ""), *tables]
    )


def _groups(command: Any, context: Any) -> dict[str, list[tuple[str, str]]]:
    """Arguments and options under the headings of `--help`, in its order."""
    groups = _Groups()
    if hasattr(command, "format_options"):
        command.format_options(context, groups)
    return groups.records


class _Groups:
    """Receive the sections of a help text as a formatter of click does."""

    def __init__(self) -> None:
        self.records: dict[str, list[tuple[str, str]]] = {}
        self._heading = ""

    def section(self, heading: str) -> AbstractContextManager[None]:
        self._heading = heading
        return nullcontext()

    def write_dl(self, records: Iterable[tuple[str, str]]) -> None:
        self.records.setdefault(self._heading, []).extend(records)


def _paragraphs(text: str) -> str:
    """Prose in which `<` and a leading asterisk are shown as written."""
    text = inspect.cleandoc(text.replace("\b", "")).replace("<", "&lt;")
    return re.sub(r"^\* ", r"\* ", text, flags=re.M)


# Configuration


def configuration() -> str:
    """Every key of a recipe and of a benchmark, from the models and the docstrings of their fields."""
    from rma_mamba.experiments.config import Benchmark
    from rma_mamba.training.config import Recipe

    parts = [
        "# Configuration keys",
        "A recipe is a TOML file. Each table below is one table of the file, with every key, its type, its default and "
        "its meaning. Unknown keys are errors that name the nearest match. `--set KEY=VALUE` overrides one key on the "
        "command line, for example `--set training.lr=3e-4`. [Bundled recipes](recipes.md) are examples to start from.",
        "## Recipe",
        *_tables(Recipe, ""),
        "## Benchmark",
        "A benchmark is a TOML file for `rma-mamba benchmark`: networks that are trained and scored on the same data.",
        *_tables(Benchmark, ""),
    ]
    return "\n\n".join(parts) + "\n"


def node_configuration() -> str:
    """Every key of the configuration of the node."""
    from rma_mamba.server.node.config import NodeConfig

    parts = [
        "# Node configuration",
        "The configuration of `rma-mamba node` is a TOML file. Each table below is one table of the file; `[[name]]` "
        "may be repeated. `rma-mamba node orthanc --show` prints a short one to start from. "
        "[Connect a PACS](../how-to/connect-a-pacs.md) explains how the node works.",
        *_tables(NodeConfig, ""),
    ]
    return "\n\n".join(parts) + "\n"


def _tables(model: type[BaseModel], path: str) -> Iterator[str]:
    fields = dict(model.model_fields)
    nested = {name: _model_of(field.annotation) for name, field in fields.items()}
    plain = [name for name in fields if nested[name] is None]
    if plain:
        yield f"### `{_heading(path)}`" if path else "### Top level"
        yield _paragraphs(model.__doc__ or "")
        rows = "\n".join(_row(name, fields[name]) for name in plain)
        yield f"| key | type | default | meaning |\n|---|---|---|---|\n{rows}"
    for name, inner in nested.items():
        if inner is not None:
            yield from _tables(inner[0], f"{path}.{name}{inner[1]}".lstrip("."))


def _heading(path: str) -> str:
    """The header of a table; one inside a list belongs to the entry above it."""
    name = path.replace("[]", "")
    return f"[[{name}]]" if path.endswith("[]") else f"[{name}]"


def _model_of(annotation: Any) -> tuple[type[BaseModel], str] | None:
    """The model that a field holds, and how the name of its table ends: "[]" for a list, ".NAME" for a mapping."""
    choices = [each for each in typing.get_args(annotation) if each is not type(None)]
    if isinstance(annotation, UnionType) and len(choices) == 1:  # an optional table
        annotation = choices[0]
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return annotation, ""
    for inner in typing.get_args(annotation):
        if found := _model_of(inner):
            is_mapping = typing.get_origin(annotation) is dict
            return found[0], ".NAME" if is_mapping else "[]"
    return None


def _row(name: str, field: Any) -> str:
    default = field.default
    if default is PydanticUndefined:
        shown = "required" if field.is_required() else "empty"
    else:
        shown = "not set" if default is None else docs_api.code(_toml(default))
    return f"| `{name}` | {cell(_type(field.annotation))} | {shown} | {cell(_described(field))} |"


def _described(field: Any) -> str:
    """What a docstring says about a key, with the values in TOML notation."""
    text = re.sub(r"\b(True|False)(?=: )", lambda found: found[0].lower(), field.description or "")
    return text if field.default is not None else re.sub(r"\bNone: ", "Not set: ", text)


def _toml(value: Any) -> str:
    """A value as one writes it in a TOML file."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{}" if not value else str(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(_toml(each) for each in value)}]"
    return f'"{value}"' if isinstance(value, str | Path) else repr(value)


def _type(annotation: Any) -> str:
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation is type(None):
        return "none"
    if origin is typing.Annotated:
        return _type(inner[0])
    if origin is typing.Literal:
        return ", ".join(f"`{each}`" for each in inner)
    if origin is tuple:
        unique = list(dict.fromkeys(_type(each) for each in inner if each is not Ellipsis))
        size = "list" if Ellipsis in inner else f"{len(inner)}"
        return f"{size} of {' or '.join(unique)}" if size == "list" else f"{size} x {unique[0]}"
    if origin is dict:
        return "table"
    if inner:
        return " or ".join(_type(each) for each in inner if each is not type(None))
    names = {"str": "text", "int": "integer", "float": "number", "bool": "true or false"} | {
        "Path": "path"
    }
    return names.get(
        getattr(annotation, "__name__", str(annotation)), getattr(annotation, "__name__", "any")
    )


def recipes() -> str:
    """Every bundled recipe and benchmark with the comment at its beginning."""
    parts = [
        "# Bundled recipes",
        "A bundled recipe is used by its name: `rma-mamba train fine-tune`. Your own recipe may start from one with "
        '`base = "fine-tune"`. [Configuration keys](configuration.md) explains every setting.',
        "## Recipes for `train` and `evaluate`",
        *_bundled("rma_mamba.training", "recipes"),
        "## Benchmarks for `rma-mamba benchmark`",
        *_bundled("rma_mamba.experiments", "benchmarks"),
    ]
    return "\n\n".join(parts) + "\n"


def _bundled(package: str, folder: str) -> Iterator[str]:
    for path in sorted(files(package).joinpath(folder).iterdir(), key=lambda each: each.name):
        if path.name.endswith(".toml"):
            text = path.read_text(encoding="utf-8").strip()
            yield f"### `{path.name.removesuffix('.toml')}`"
            yield f"```toml\n{text}\n```"


# Flags and exit codes


def flags() -> str:
    """Codes, lights and messages of all quality flags, and the thresholds behind them."""
    rows = "\n".join(
        f"| `{code}` | {lights} | {cell(message)} |" for code, lights, message in raised_flags()
    )
    parts = [
        "# Quality flags",
        "Every flag that `segment` can raise, with its colour and message; values replace the braces. "
        "[Quality and uncertainty](../explanation/quality.md) explains when each is raised, and how reliable it is.",
        f"| code | light | message |\n|---|---|---|\n{rows}",
        "## Thresholds",
        _thresholds(),
    ]
    return "\n\n".join(parts) + "\n"


def raised_flags() -> list[tuple[str, str, str]]:
    """Code, lights and message of each `Flag(...)` in the source of `reporting`, in the order of the source."""
    found = []
    for path in sorted((ROOT / "src" / "rma_mamba" / "reporting").glob("*.py")):
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef):
                found += _flags_of(function)
    return found


def _flags_of(function: ast.FunctionDef) -> Iterator[tuple[str, str, str]]:
    texts: dict[str, ast.expr] = {}
    nodes = [node for node in ast.walk(function) if isinstance(node, ast.Assign | ast.Call)]
    for node in sorted(nodes, key=lambda each: (each.lineno, each.col_offset)):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            texts[node.targets[0].id] = node.value
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Flag":
            code, message, severity = (*node.args, *(each.value for each in node.keywords))[:3]
            if isinstance(code, ast.Constant):
                yield str(code.value), ", ".join(_lights(severity)), _text(message, texts)


def _lights(node: ast.expr) -> list[str]:
    found = {each.value for each in ast.walk(node) if isinstance(each, ast.Constant)}
    return [light for light in ("red", "yellow") if light in found]


def _text(node: ast.expr, texts: dict[str, ast.expr]) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.Name) and node.id in texts:
        return _text(
            texts[node.id], {name: value for name, value in texts.items() if name != node.id}
        )
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part, texts) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        inner = node.value
        if isinstance(inner, ast.Name) and isinstance(texts.get(inner.id), ast.JoinedStr):
            return _text(texts[inner.id], texts)
        return "{…}"
    return "{…}"


def _thresholds() -> str:
    """The frozen dataclass of thresholds: each value with what its docstring says about it."""
    from rma_mamba.reporting.quality_thresholds import QualityThresholds

    values = QualityThresholds()
    rows = re.sub(
        r"^\| `(\w+)` \|",
        lambda found: f"| `{found[1]}` | {cell(str(getattr(values, found[1])))} |",
        docs_api.markdown(QualityThresholds.__doc__ or ""),
        flags=re.M,
    )
    heading = "| threshold | value | meaning and source |\n|---|---|---|"
    return rows.replace("| Args | |\n|---|---|", heading)


def exit_codes() -> str:
    """The table of the module that decides them, and the errors with their codes."""
    from rma_mamba import errors
    from rma_mamba.pipeline import exit_codes as module

    codes = "\n".join(
        f"| {value} | {name.replace('_', ' ').lower()} | {cell(note)} |"
        for value, name, note in docs_api.enum_values(module.ExitCode)
    )
    types = "\n".join(
        f"| `{kind.__name__}` | {module.exit_code_of(kind('')).value} | {cell((kind.__doc__ or '').splitlines()[0])} |"
        for kind in vars(errors).values()
        if docs_api.is_error(kind) and issubclass(kind, errors.RmaMambaError)
    )
    parts = [
        "# Exit codes",
        "Every command exits with one of these codes. They are defined in `src/rma_mamba/pipeline/exit_codes.py`.",
        f"| code | name | meaning |\n|---|---|---|\n{codes}",
        "`rma-mamba demo` also exits with code 1 if a measured volume differs from the true one by more than 10%.",
        "## Errors in Python",
        "Library code raises these errors and never exits. `except rma_mamba.RmaMambaError` catches all of them.",
        f"| error | exit code | meaning |\n|---|---|---|\n{types}",
        "A message is one line: what was found, what was expected, what to do next. No message contains patient data. "
        "`--verbose` adds the traceback.",
    ]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    main()
