"""Timing that can be compared: everything of a table is timed in turn, in one process, on one machine."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from statistics import median

import torch

Work = Callable[[], object]


@dataclass(frozen=True)
class Timing:
    """Seconds of several runs of one thing."""

    seconds: tuple[float, ...]

    @property
    def best(self) -> float:
        """Of the fastest run: what the machine can do when nothing else disturbs it."""
        return min(self.seconds)

    @property
    def median(self) -> float:
        """Of the run in the middle."""
        return median(self.seconds)


def in_turn(
    works: Mapping[str, Work], *, rounds: int = 7, device: str = "cpu"
) -> dict[str, Timing]:
    """Time several things in turn, after one run of each that does not count.

    Whatever disturbs the machine disturbs all of them, and ratios of one call mean something.
    """
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for counted in (False, *[True] * rounds):
        for name, work in works.items():
            _wait(device)
            started = time.perf_counter()
            work()
            _wait(device)
            if counted:
                seconds[name].append(time.perf_counter() - started)
    return {name: Timing(tuple(each)) for name, each in seconds.items()}


def _wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize()


@dataclass(frozen=True)
class Report:
    """What a part of the benchmark found.

    Args:
        text: Tables in Markdown.
        bars: Milliseconds by name, for the plot.
    """

    text: str
    bars: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Limits:
    """What the machine can do at best, measured."""

    float32_flops: float  # per second, matrix product
    bfloat16_flops: float
    copied_bytes: float  # read and written, per second


@cache
def limits(device: str = "cpu") -> Limits:
    """Rates of large matrix products and of a large copy, measured once a run: all its ratios are to the same."""
    side = 2048 if device == "cpu" else 8192
    a, b = torch.randn(2, side, side, device=device)
    a16, b16 = a.bfloat16(), b.bfloat16()
    source = torch.randn(64_000_000, device=device)
    target = torch.empty_like(source)
    works = {
        "float32": lambda: a @ b,
        "bfloat16": lambda: a16 @ b16,
        "copy": lambda: target.copy_(source),
    }
    times = in_turn(works, device=device)
    flops = 2 * side**3
    moved = 2 * source.numel() * source.element_size()
    return Limits(
        flops / times["float32"].best, flops / times["bfloat16"].best, moved / times["copy"].best
    )


def machine(device: str = "cpu") -> str:
    """The machine in words, without a name of it."""
    if device.startswith("cuda"):
        return f"{torch.cuda.get_device_name()}, torch {torch.__version__}"
    model = platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text().splitlines()
        model = next((line.split(":")[1].strip() for line in lines if "model name" in line), model)
    return (
        f"{model}, {torch.get_num_threads()} threads of {os.cpu_count()}, torch {torch.__version__}"
    )


def table(heading: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; numbers are given three digits."""
    lines = ["| " + " | ".join(heading) + " |", "|" + " --- |" * len(heading)]
    lines += ["| " + " | ".join(_cell(each) for each in row) + " |" for row in rows]
    return "\n".join(lines)


def _cell(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def milliseconds(timing: Timing) -> str:
    """Best, and median in brackets."""
    return f"{1e3 * timing.best:.2f} ({1e3 * timing.median:.2f})"
