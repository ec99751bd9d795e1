"""Comparable timings: all functions of a table are timed in alternation, in one process on one machine."""

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
    """Seconds of several runs of the same function."""

    seconds: tuple[float, ...]

    @property
    def best(self) -> float:
        """Fastest run: what the machine achieves without interference."""
        return min(self.seconds)

    @property
    def median(self) -> float:
        """Median run."""
        return median(self.seconds)


def time_interleaved(
    works: Mapping[str, Work], *, rounds: int = 7, device: str = "cpu"
) -> dict[str, Timing]:
    """Time several functions in alternation, after one warm-up run of each.

    Interference from other processes affects all of them alike, so that ratios within one call are meaningful.
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
    """Result of one part of the benchmark.

    Args:
        text: Tables in Markdown.
        bars: Milliseconds by name, for the plot.
    """

    text: str
    bars: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class PeakRates:
    """Measured peak rates of the machine."""

    float32_flops: float  # per second, matrix multiplication
    bfloat16_flops: float
    copied_bytes: float  # read plus written, per second


@cache
def peak_rates(device: str = "cpu") -> PeakRates:
    """Rates of large matrix multiplications and a large copy, measured once per run of the benchmark."""
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
    times = time_interleaved(works, device=device)
    flops = 2 * side**3
    moved = 2 * source.numel() * source.element_size()
    return PeakRates(
        flops / times["float32"].best, flops / times["bfloat16"].best, moved / times["copy"].best
    )


def machine(device: str = "cpu") -> str:
    """Description of the hardware, without the host name."""
    if device.startswith("cuda"):
        return f"{torch.cuda.get_device_name()}, torch {torch.__version__}"
    model = platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text().splitlines()
        model = next((line.split(":")[1].strip() for line in lines if "model name" in line), model)
    return f"{model}, {torch.get_num_threads()} threads on {os.cpu_count()} CPUs, torch {torch.__version__}"


def table(heading: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; floats are printed with three significant digits."""
    lines = ["| " + " | ".join(heading) + " |", "|" + " --- |" * len(heading)]
    lines += ["| " + " | ".join(_cell(each) for each in row) + " |" for row in rows]
    return "\n".join(lines)


def _cell(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def milliseconds(timing: Timing) -> str:
    """Best time, with the median in parentheses."""
    return f"{1e3 * timing.best:.2f} ({1e3 * timing.median:.2f})"
