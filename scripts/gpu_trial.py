#!/usr/bin/env python3
"""Check, time and train on a machine with a GPU, in one go, without a network.

    scripts/gpu_trial.py pack PACK --data FOLDER    on any machine: training data, wheels and weights in one folder
    scripts/gpu_trial.py run OUT [--train PACK]     on the machine with the GPU: result.json and weights.safetensors

`run` needs Python 3.12, torch 2.11 or newer, triton, numba, safetensors, numpy and scipy; pydantic comes with the pack.
Each part ends in time and is written to OUT/result.json as soon as it is complete; a failed part states its error
there, and the others still run. The exit status is 1 if a part failed or a kernel differs from the reference.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "benchmarks"), str(ROOT / "scripts" / "gpu")]


def main() -> int:
    """Parse the command line and run one of the two commands."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    pack = commands.add_parser("pack", help="collect what travels to the machine with the GPU")
    pack.add_argument("pack", type=Path)
    pack.add_argument("--data", type=Path, required=True, help="folder of the recipe's data")
    pack.add_argument("--recipe", default="whole-scan")
    pack.add_argument("--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE")
    pack.add_argument("--limit-mib", type=float, default=60.0)
    pack.add_argument("--no-wheels", action="store_true", help="pydantic is installed there")
    pack.set_defaults(command=make_pack)
    trial = commands.add_parser("run", help="all checks and timings, and training")
    trial.add_argument("output", type=Path)
    trial.add_argument("--train", type=Path, metavar="PACK")
    trial.add_argument("--train-minutes", type=float, default=4.0)
    trial.add_argument("--minutes", type=float, default=9.0, help="for everything")
    trial.add_argument("--device", default="cuda")
    trial.add_argument("--onnx", type=Path, metavar="FILE", help="exported network")
    trial.add_argument("--quick", action="store_true", help="the smallest sizes only")
    trial.set_defaults(command=run_trial)
    options = parser.parse_args()
    return int(options.command(options) or 0)


def make_pack(options: argparse.Namespace) -> None:
    """Write the pack."""
    from packing import write_pack

    content = write_pack(
        options.pack,
        options.recipe,
        [f"data.root={options.data}", *options.overrides],
        options.limit_mib,
        wheels=not options.no_wheels,
    )
    print(json.dumps(content, indent=1))


def run_trial(options: argparse.Namespace) -> int:
    """Run all parts and write the result after each."""
    from libraries import add_missing_libraries

    if options.device == "cpu":
        os.environ.setdefault("TRITON_INTERPRET", "1")  # before triton is imported
    add_missing_libraries(options.train)
    deadline = time.monotonic() + 60 * options.minutes
    options.output.mkdir(parents=True, exist_ok=True)
    result: dict[str, Any] = {"machine": machine(options.device), "parts": {}}
    for name, part in parts(options, deadline).items():
        started = time.monotonic()
        try:
            found = part()
        except Exception as error:  # the other parts still run
            found = {"failed": f"{type(error).__name__}: {error}"}
        result["parts"][name] = {**found, "seconds": round(time.monotonic() - started, 1)}
        write_result(options.output / "result.json", result)
        print(f"{name}: {result['parts'][name]['seconds']} s", found.get("failed", ""), flush=True)
    return int(any("failed" in each for each in result["parts"].values()))


def parts(options: argparse.Namespace, deadline: float) -> dict[str, Callable[[], dict[str, Any]]]:
    """The parts, in the order in which they run. What training leaves of the time is for timing."""
    from kernels import check_kernels
    from onnx_file import check_onnx
    from speed import time_networks, time_scans

    train_seconds = 60 * options.train_minutes if options.train else 0.0
    found = {
        "kernels": lambda: check_kernels(options.device, quick=options.quick),
        "scans": lambda: time_scans(options.device, quick=options.quick),
    }
    if options.onnx:
        found["onnx"] = lambda: check_onnx(options.onnx, options.device)
    if options.train:
        from on_device_training import train_pack

        found["training"] = lambda: train_pack(
            options.train, options.output, options.device, train_seconds, quick=options.quick
        )
    found["networks"] = lambda: time_networks(options.device, deadline, quick=options.quick)
    return found


def machine(device: str) -> dict[str, Any]:
    """The machine in words, and the rates that bound every speed on it."""
    import measure
    import torch

    known: dict[str, Any] = {"device": measure.machine(device), "torch": torch.__version__}
    if device.startswith("cuda"):
        rates = measure.peak_rates(device)
        known |= {
            "float32 matmul, TFLOP/s": round(rates.float32_flops / 1e12, 1),
            "bfloat16 matmul, TFLOP/s": round(rates.bfloat16_flops / 1e12, 1),
            "copy, read and written, GB/s": round(rates.copied_bytes / 1e9, 1),
        }
    return known


def write_result(path: Path, result: dict[str, Any]) -> None:
    """Replace the file as a whole."""
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(result, indent=1) + "\n")
    partial.replace(path)


if __name__ == "__main__":
    sys.exit(main())
