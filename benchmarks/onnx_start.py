"""Measure `segment --runtime onnx` outside the network, with and without a network that is kept as optimised.

    python benchmarks/onnx_start.py               # three rounds with --fast
    python benchmarks/onnx_start.py --rounds 5

Each command is a process of its own on one thread, and segments an MR phantom of 256 x 256 x 36. Seconds of processor
time, the best of all rounds; outside the network: the whole process less the time in ONNX Runtime's `run`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from measure import machine, table

from rma_mamba.datasets.phantom import make_phantom
from rma_mamba.scans import write_scan

TARGET_S = 1.2
# Prints the processor time of the process, and that of the network.
COMMAND = """
import sys, time
from rma_mamba.cli.run import run
from rma_mamba.portable.onnx_session import OnnxNetwork

spent, maps = [0.0], OnnxNetwork.maps

def timed(*arguments):
    start = time.process_time()
    found = maps(*arguments)
    spent[0] += time.process_time() - start
    return found

OnnxNetwork.maps = timed
assert run(["segment", "-i", sys.argv[1], "-o", sys.argv[2], "--runtime", "onnx", "--fast", "-q"]) == 0
print(time.process_time(), spent[0])
"""


def main() -> None:
    """Run the rounds, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_scan(make_phantom(0, contrast="mr_t2").volume, folder / "scan.nii.gz")
        homes = {
            "kept as optimised": folder / "home",
            "optimised in each run": folder / "scan.nii.gz",
        }
        measured(folder, homes["kept as optimised"])  # which keeps the network
        times: dict[str, list[tuple[float, float]]] = {each: [] for each in homes}
        for _ in range(rounds):
            for each, home in homes.items():
                times[each].append(measured(folder, home))
    rows = [
        [each, f"{min(outside for _, outside in found):.2f} s", f"{min(found)[0]:.2f} s"]
        for each, found in times.items()
    ]
    print(machine(), end="\n\n")
    print(table(["network", f"outside the network (target: {TARGET_S} s)", "whole process"], rows))


def measured(folder: Path, home: Path) -> tuple[float, float]:
    """Processor time of a command, and the part outside the network, in seconds."""
    with tempfile.TemporaryDirectory(dir=folder) as out:
        done = subprocess.run(
            [sys.executable, "-c", COMMAND, str(folder / "scan.nii.gz"), out],
            env={**os.environ, "RMA_MAMBA_HOME": str(home), "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=True,
        )
    whole, network = map(float, done.stdout.split()[-2:])
    return whole, whole - network


if __name__ == "__main__":
    main()
