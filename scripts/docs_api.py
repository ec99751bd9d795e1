"""The API reference: signatures and docstrings of the public names, each with an example.

The examples are the sections of docs_api_examples.py, which the tests execute.
"""

from __future__ import annotations

import html
import importlib
import inspect
import re
from dataclasses import is_dataclass
from enum import Enum
from pathlib import Path
from types import ModuleType

from pydantic import BaseModel

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "scripts" / "docs_api_examples.py"
# The package itself, and the modules whose `__all__` the how-to guides use.
MODULES = (
    "rma_mamba",
    "rma_mamba.pipeline",
    "rma_mamba.scans",
    "rma_mamba.reporting",
    "rma_mamba.metrics",
    "rma_mamba.evaluation",
)
_SECTION = re.compile(r"^(Args|Returns|Raises|Yields|Attributes|Examples?):$", re.M)


def page() -> str:
    """The whole page."""
    parts = [
        "# Python API",
        "Everything listed under `rma_mamba` is public: it changes only with a note in the "
        "[changelog](changelog.md), and a renamed name keeps working for one minor release. "
        "The other modules are documented because the how-to guides use them.",
        "The examples run in a folder with a scan `scan.nii.gz`, a mask `liver.nii.gz`, a DICOM series `series/`, and "
        "folders of scans (`images/`) and masks (`reference/`, `ours/`, `other/`). Names that are used together share "
        "an example, which is shown under each. The test suite executes every example.",
    ]
    seen: set[int] = set()
    for name in MODULES:
        module = importlib.import_module(name)
        parts.append(f"## {name}")
        for each in sorted(public_names(module), key=str.lower):
            value = getattr(module, each)
            if isinstance(value, ModuleType | str) or id(value) in seen:
                continue
            seen.add(id(value))
            parts.append(_entry(name, each, value))
    return "\n\n".join(parts) + "\n"


def public_names(module: ModuleType) -> list[str]:
    """Names of a module's `__all__`, without constants and type aliases."""
    return [
        name
        for name in module.__all__
        if inspect.isclass(getattr(module, name)) or inspect.isfunction(getattr(module, name))
    ]


def sections() -> list[tuple[str, str]]:
    """The names in each heading `# --- names` of the examples, and the code below it."""
    pieces = re.split(r"^# --- (.+)\n", EXAMPLES.read_text(encoding="utf-8"), flags=re.M)
    return [(names, code.strip()) for names, code in zip(pieces[1::2], pieces[2::2], strict=True)]


def examples() -> dict[str, str]:
    """The example of each name."""
    return {name: code for names, code in sections() for name in names.split()}


def enum_values(kind: type[Enum]) -> list[tuple[str, str, str]]:
    """Value, name and comment of each member of an enumeration."""
    source = inspect.getsource(kind)
    notes = dict(re.findall(r"^ +(\w+) = \S+(?: +# (.+))?$", source, flags=re.M))
    return [(str(each.value), each.name, notes.get(each.name, "")) for each in kind]


def _entry(module: str, name: str, value: object) -> str:
    full = f"{module}.{name}"
    parts = [
        f"### {name}",
        f"```python\n{_signature(full, value)}\n```",
        markdown(value.__doc__ or ""),
    ]
    if inspect.isclass(value):
        parts += [*_values(value), *_members(value)]
    # An example of the file shows its imports, so it replaces that of the docstring.
    if example := examples().get(name):
        parts[2] = re.sub(r"\n\n\*\*Example\*\*\n\n```pycon\n.*?```", "", parts[2], flags=re.S)
        parts.append(f"**Example**\n\n```python\n{example}\n```")
    return "\n\n".join(part for part in parts if part)


def _values(owner: type) -> list[str]:
    """Values of an enumeration, or fields of a settings class."""
    if issubclass(owner, Enum):
        rows = [
            f"| `{name}` | {value} | {cell(note)} |" for value, name, note in enum_values(owner)
        ]
        return ["| name | value | meaning |\n|---|---|---|\n" + "\n".join(rows)]
    if issubclass(owner, BaseModel):
        fields = owner.model_fields.items()
        rows = [f"| `{name}` | {cell(each.description or '')} |" for name, each in fields]
        table = "| field | |\n|---|---|\n" + "\n".join(rows)
        return [table, "Types and limits: [configuration keys](configuration.md#datarecipe)."]
    return []


def _members(owner: type) -> list[str]:
    """Public methods and properties that the class itself defines, with the first line of their docstrings."""
    rows = []
    for name, member in vars(owner).items():
        target = (
            member.fget if isinstance(member, property) else getattr(member, "__func__", member)
        )
        if name.startswith("_") or not inspect.isfunction(target) or not target.__doc__:
            continue
        if "deprecated" in target.__doc__.lower():
            continue
        call = "" if isinstance(member, property) else "()"
        rows.append(f"| `{name}{call}` | {cell(target.__doc__.strip().splitlines()[0])} |")
    return ["| member | |\n|---|---|\n" + "\n".join(rows)] if rows else []


def _signature(full: str, value: object) -> str:
    """A call as one writes it: strings in quotes, functions by name, and no addresses in memory."""
    if is_error(value):
        return f"{full}(message)"
    protocol = getattr(value, "_is_protocol", False)
    if protocol or (inspect.isclass(value) and issubclass(value, Enum)):
        return full
    try:
        signature = inspect.signature(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return full
    annotations = vars(value).get("__annotations__", {}) if inspect.isclass(value) else {}
    parameters = [
        each.replace(
            annotation=_Text(_annotation(annotations.get(each.name, each.annotation))),
            default=each.default if each.default is each.empty else _Text(_default(each.default)),
        )
        for each in signature.parameters.values()
    ]
    returned = "" if inspect.isclass(value) else f" -> {_annotation(signature.return_annotation)}"
    text = f"{full}{inspect.Signature(parameters)}{returned}"
    if len(text) <= 90:
        return text
    return re.sub(r"\((.*)\)", _break_arguments, text, count=1, flags=re.S)


class _Text(str):
    """Text that `inspect` shows as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _annotation(annotation: object) -> str:
    """A type, without the limits of its values, which the settings of pydantic models carry."""
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    text = re.sub(r"Annotated\[(\w+), Field\([^)]*\)\]", r"\1", text).replace("'", '"')
    return re.sub(r"\bFinite\b", "float", text)


def _default(value: object) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    if inspect.isfunction(value):
        return value.__name__
    if is_dataclass(value):
        try:
            return f"{type(value).__name__}()" if type(value)() == value else "..."
        except TypeError:
            return "..."
    text = repr(value)
    return "..." if text.startswith("<") else text


def is_error(value: object) -> bool:
    """Whether a value is an exception class."""
    return inspect.isclass(value) and issubclass(value, Exception)


def _break_arguments(match: re.Match[str]) -> str:
    """Arguments on lines of their own; commas inside brackets stay."""
    depth, lines, line = 0, [], ""
    for letter in match.group(1):
        depth += {"[": 1, "(": 1, "{": 1, "]": -1, ")": -1, "}": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            lines.append(line.strip())
            line = ""
        else:
            line += letter
    return "(\n" + "".join(f"    {each},\n" for each in [*lines, line.strip()] if each) + ")"


def markdown(docstring: str) -> str:
    """A Google-style docstring as Markdown: sections become tables, indented code becomes code blocks."""
    pieces = _SECTION.split(inspect.cleandoc(docstring))
    parts = [_prose(pieces[0])]
    for title, body in zip(pieces[1::2], pieces[2::2], strict=True):
        block, rest = _split_block(body)
        parts.append(_section(title, block))
        parts.append(_prose(rest))
    return "\n\n".join(part for part in parts if part)


def _section(title: str, block: str) -> str:
    if title.startswith("Example"):
        return f"**Example**\n\n```pycon\n{inspect.cleandoc(block)}\n```"
    return _table(title, block) if ":" in block else f"**{title}:** {' '.join(block.split())}"


def _split_block(body: str) -> tuple[str, str]:
    """The indented lines after a heading, and what follows them."""
    lines = body.strip("\n").splitlines()
    end = next(
        (at for at, line in enumerate(lines) if line and not line.startswith(" ")), len(lines)
    )
    return "\n".join(lines[:end]), "\n".join(lines[end:])


def _prose(text: str) -> str:
    """Paragraphs; interpreter sessions and blocks indented by four columns become code."""
    paragraphs = [each for each in re.split(r"\n\s*\n", text.strip("\n")) if each.strip()]
    return "\n\n".join(_paragraph(each) for each in paragraphs)


def _paragraph(text: str) -> str:
    if inspect.cleandoc(text).startswith(">>>"):
        return f"```pycon\n{inspect.cleandoc(text)}\n```"
    return f"```text\n{inspect.cleandoc(text)}\n```" if text.startswith("    ") else text


def _table(title: str, block: str) -> str:
    items: list[list[str]] = []
    for line in inspect.cleandoc(block).splitlines():
        found = re.match(r"(\*{0,2}\w[\w, ]*): (.*)", line)
        if found and not line.startswith(" "):
            items.append([found.group(1), found.group(2)])
        elif items:
            items[-1][1] += " " + line.strip()
    rows = "\n".join(f"| `{name}` | {cell(text)} |" for name, text in items)
    return f"| {title} | |\n|---|---|\n{rows}"


def cell(text: str) -> str:
    """Text for a cell of a table: shown as written, also `<`, `|` and code."""
    parts = re.split(r"`([^`]+)`", " ".join(text.split()))
    parts[0::2] = [each.replace("<", "&lt;").replace("|", "&#124;") for each in parts[0::2]]
    parts[1::2] = [code(each) for each in parts[1::2]]
    return "".join(parts)


def code(text: str) -> str:
    """Text as code in a cell of a table, where a bar would end the cell even inside backticks."""
    if "|" not in text:
        return f"`{text}`"
    return f"<code>{html.escape(text, quote=False).replace('|', '&#124;')}</code>"
