"""Whole scans: time of the network alone and of the command, and peak memory."""

from __future__ import annotations

import multiprocessing
import resource
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
from measure import Report, table, time_interleaved

from rma_mamba.datasets.phantom import make_phantom
from rma_mamba.inference import Segmenter
from rma_mamba.scans import write_scan
from rma_mamba.slicing import SliceStack
from rma_mamba.volume import Geometry, Volume

COMMAND = (sys.executable, "-m", "rma_mamba")


def time_network_alone(fast: bool) -> tuple[str, float]:
    """Name and seconds of all TTA scales of a 36-slice MR, without reading, resampling or writing."""
    segmenter = Segmenter.load(fast=fast)
    stack = SliceStack(make_phantom(0, contrast="mr_t2").volume, segmenter.recipe)
    images = [view[0:36] for view in stack.at_tta_scales()]
    parts = [[view[start : start + 12] for view in images] for start in range(0, 36, 12)]
    again = sum(len(segmenter.tta_logits(part).repeated) for part in parts)
    name = "network alone, " + (
        "one TTA scale (--fast)" if fast else f"{len(images)} TTA scales, at {again} of 36 slices"
    )

    def work() -> None:
        for part in parts:
            segmenter.tta_logits(part)

    return name, time_interleaved({name: work}, rounds=5)[name].best


def run(device: str = "cpu") -> Report:
    """Table of seconds and peak memory on synthetic scans."""
    rows: list[list[object]] = []
    alone = {}
    for fast in (True, False):
        name, alone[fast] = time_network_alone(fast)
        rows.append([name, f"{alone[fast]:.2f} s", "2 s"])
    with tempfile.TemporaryDirectory() as folder:
        scan, mask = Path(folder) / "scan.nii.gz", Path(folder) / "liver.nii.gz"
        write_scan(make_phantom(0, contrast="mr_t2").volume, scan)
        segment = [*COMMAND, "segment", "-q", "-i", str(scan), "-o", str(mask)]
        works = {
            "rma-mamba segment, 256 x 256 x 36": segment,
            "rma-mamba segment --fast": [*segment, "--fast"],
            "rma-mamba info": [*COMMAND, "info"],
            "rma-mamba --help": [*COMMAND, "--help"],
        }
        targets = ("15 s", "", "0.5 s", "0.5 s")
        calls = {name: partial(_call, command) for name, command in works.items()}
        times = time_interleaved(calls, rounds=3)
        for (name, timing), target in zip(times.items(), targets, strict=True):
            rows.append([name, f"{timing.best:.2f} s", target])
        whole = times["rma-mamba segment, 256 x 256 x 36"].best
        rows.append(
            ["rma-mamba segment outside the network", f"{whole - alone[False]:.2f} s", "3 s"]
        )
        rows.append(
            [
                "peak memory of rma-mamba segment, 256 x 256 x 36",
                f"{_peak(segment)} MiB",
                "2048 MiB",
            ]
        )
        _write_long_ct(scan)
        rows.append(["peak memory, CT of 512 x 512 x 600", f"{_peak(segment)} MiB", "3072 MiB"])
    return Report(table(["measurement", "value", "target: at most"], rows))


def _call(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True)


def _peak(command: list[str]) -> int:
    """Peak memory of one call in MiB, measured in a separate process so that other calls do not count."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_peak_of_child, (command,))


def _peak_of_child(command: list[str]) -> int:
    _call(command)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024


def _write_long_ct(path: Path) -> None:
    """Write a synthetic CT of 600 slices, repeated from 60."""
    spacing = (0.75, 0.75, 4.0)
    short = make_phantom(1, contrast="ct", shape=(512, 512, 60), spacing_mm=spacing).volume
    values = np.repeat(np.asarray(short.values, np.int16), 10, axis=2)
    affine = short.geometry.affine @ np.diag([1, 1, 0.1, 1])
    write_scan(Volume(values, Geometry(values.shape, affine), "CT"), path)
