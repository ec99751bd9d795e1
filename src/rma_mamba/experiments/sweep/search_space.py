"""The settings of a sweep and the values that they can have, as written on the command line.

| written | values |
|---|---|
| `1e-4:1e-2:log` | numbers between the two, on a logarithmic scale |
| `0.1:0.5` | numbers between the two; whole numbers if both are |
| `2:16:2` | numbers between the two, in steps |
| `unet,unext` | one of these values, each as in TOML or, if it is not valid TOML, text |
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import product
from typing import Any

from rma_mamba.errors import ConfigError
from rma_mamba.training.toml_writer import to_toml

_DIGITS = 4  # significant digits of a number between two others
_STEP_DIGITS = 10
_LOG = "log"


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`.

    Args:
        low: The lowest value.
        high: The highest value.
        log: Whether values are drawn on a logarithmic scale.
        step: Distance of neighbouring values; None: any number, or any whole number.
        whole: Whether values are whole numbers.
    """

    low: float
    high: float
    log: bool = False
    step: float | None = None
    whole: bool = False

    def text(self, value: Any) -> str:
        """A value as written in a recipe, rounded so that it can be read and is within the range."""
        if self.whole:
            return str(int(value))
        digits = _STEP_DIGITS if self.step else _DIGITS
        return repr(min(max(float(f"{value:.{digits}g}"), self.low), self.high))

    def values(self) -> tuple[str, ...] | None:
        """All values; None if they cannot be counted."""
        step = self.step or (1 if self.whole and not self.log else None)
        if step is None:
            return None
        count = int((Decimal(str(self.high)) - Decimal(str(self.low))) / Decimal(str(step))) + 1
        found = [Decimal(str(self.low)) + number * Decimal(str(step)) for number in range(count)]
        return tuple(self.text(float(each)) for each in found)


@dataclass(frozen=True)
class Choice:
    """One of several values, as written in TOML."""

    options: tuple[str, ...]

    def text(self, value: Any) -> str:
        """A value as written in a recipe."""
        return str(value)

    def values(self) -> tuple[str, ...]:
        """All values."""
        return self.options


SearchSpace = dict[str, Range | Choice]  # by the name of the setting
Values = dict[str, str]  # name of a setting to its value, as written in a recipe


def parse_parameters(texts: Sequence[str]) -> SearchSpace:
    """Settings and their values, such as "training.lr=1e-4:1e-2:log".

    Raises:
        ConfigError: A text cannot be read, a setting is named twice, or there is none.
    """
    space: SearchSpace = {}
    for text in texts:
        name, equals, values = (part.strip() for part in text.partition("="))
        if not (equals and name and values):
            raise _error(text, "it is not KEY=VALUES")
        if name in space:
            raise ConfigError(
                f"the parameter {name} is named twice; expected each once. Remove one --param."
            )
        space[name] = _parse_range(text, values) or _parse_choice(text, values)
    if not space:
        raise ConfigError(
            "the sweep has no parameters; expected one or more. Add --param training.lr=1e-4:1e-2:log, for example."
        )
    return space


def grid(space: SearchSpace) -> list[Values]:
    """All combinations of values, the last setting varying fastest.

    Raises:
        ConfigError: The values of a setting cannot be counted.
    """
    listed = {}
    for name, values in space.items():
        found = values.values()
        if found is None:
            raise ConfigError(
                f"the parameter {name} is a range without steps, which a grid cannot cover; expected a step or a list "
                f"of values. Write --param {name}=LOW:HIGH:STEP or {name}=A,B,C, or use another --sampler."
            )
        listed[name] = found
    return [dict(zip(listed, values, strict=True)) for values in product(*listed.values())]


def _parse_range(text: str, values: str) -> Range | None:
    """A range; None if the text is a list of values."""
    low_text, *rest = values.split(":")
    numbers = [_number(part) for part in (low_text, *rest[:1])]
    if len(rest) not in (1, 2) or None in numbers:
        return None
    low, high = (float(each) for each in numbers if each is not None)
    if not low < high:
        raise _error(text, "the first number is not below the second")
    whole = all(isinstance(each, int) for each in numbers)
    if len(rest) == 1:
        return Range(low, high, whole=whole)
    if rest[1] == _LOG:
        if low <= 0:
            raise _error(text, "a logarithmic scale has no number that is not above 0")
        return Range(low, high, log=True, whole=whole)
    step = _number(rest[1])
    if step is None or not 0 < step <= high - low:
        raise _error(text, f"'{rest[1]}' is neither log nor a step that fits between the numbers")
    whole = whole and isinstance(step, int)
    count = int((Decimal(str(high)) - Decimal(str(low))) / Decimal(str(step)))
    top = float(Decimal(str(low)) + count * Decimal(str(step)))
    return Range(low, top, step=float(step), whole=whole)


def _parse_choice(text: str, values: str) -> Choice:
    try:
        parsed = tomllib.loads(f"values = [{values}]")["values"]
    except tomllib.TOMLDecodeError:
        parsed = [_value(part.strip()) for part in values.split(",")]
    options = tuple(_written(each) for each in parsed)
    if len(options) < 2:
        raise _error(text, "it has one value")
    if len(set(options)) < len(options):
        raise _error(text, "it has the same value twice")
    return Choice(options)


def _written(value: object) -> str:
    """A value as written in a setting: in TOML, or text that is not valid TOML as it is."""
    if isinstance(value, str) and value == _value(value) and value == value.strip():
        return value
    return to_toml({"value": value}).partition(" = ")[2].strip()


def _value(text: str) -> object:
    """A value as in TOML or, if it is not valid TOML, text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _number(text: str) -> int | float | None:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _error(text: str, found: str) -> ConfigError:
    return ConfigError(
        f"the parameter '{text}' cannot be used ({found}); expected a setting with a range or a list of values. Write "
        "--param training.lr=1e-4:1e-2:log, --param training.batch_size=4:16:4 or --param model.name=unet,unext, for "
        "example."
    )
