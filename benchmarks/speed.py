"""How fast the operators, a training step and a whole segmentation are here.

    python benchmarks/speed.py            # all; or some of: scan step segment

Prints the best and the median of several runs. Wall-clock times of a machine that does something else mean nothing.
"""

import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch

from rma_mamba.datasets.phantom import make_phantom
from rma_mamba.models import create_model
from rma_mamba.ops import scan_2d
from rma_mamba.scans import write_scan
from rma_mamba.training.losses import segmentation_loss


def timed(name: str, work: Callable[[], object], runs: int) -> None:
    """Print the best and the median of some runs, after one that does not count."""
    work()
    seconds = []
    for _ in range(runs):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    print(f"{name:<58} best {min(seconds):8.3f} s   median {median(seconds):8.3f} s")


def scan() -> None:
    """Four directions over a map as in the first stage of RMA-Mamba-T at 256 x 256."""
    u, B, C = (
        torch.randn(1, 64, 64, 192),
        torch.randn(1, 64, 64, 4, 1),
        torch.randn(1, 64, 64, 4, 1),
    )
    delta, A = torch.randn(4, 1, 64, 64, 192) - 3, -torch.rand(4, 192, 1)
    inputs = [u, delta, A, B, C, torch.ones(4, 192), torch.zeros(4, 192)]
    timed("scan_2d forward, 64 x 64 x 192, numba", lambda: scan_2d(*inputs), 20)
    leaves = [each.requires_grad_() for each in inputs]
    timed(
        "scan_2d forward and backward, 64 x 64 x 192, numba",
        lambda: scan_2d(*leaves).sum().backward(),
        20,
    )


def step() -> None:
    """Training steps: forward, loss, backward, optimiser."""
    for name, batch in (("rma-mamba-t", 2), ("rma-mamba-n", 2)):
        model = create_model(name)
        optimizer = torch.optim.Adam(model.parameters(), 1e-4)
        images, label = torch.rand(batch, 3, 256, 256), torch.zeros(batch, 1, 256, 256)

        def work(model=model, optimizer=optimizer, images=images, label=label) -> None:
            optimizer.zero_grad()
            segmentation_loss(model(images), label).backward()
            optimizer.step()

        timed(f"training step, {name}, batch {batch}, 256 x 256, float32", work, 5)


def segment() -> None:
    """The command, start-up included, on a 36-slice MR volume of 256 x 256; and its memory."""
    with tempfile.TemporaryDirectory() as folder:
        scan_path, mask_path = Path(folder) / "scan.nii.gz", Path(folder) / "liver.nii.gz"
        write_scan(make_phantom(0, contrast="mr_t2").volume, scan_path)
        command = [sys.executable, "-m", "rma_mamba.cli", "segment", "-q"]
        command += ["-i", str(scan_path), "-o", str(mask_path)]
        timed("rma-mamba segment, 256 x 256 x 36", lambda: subprocess.run(command, check=True), 3)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        print(f"{'its peak memory':<58} {peak:.0f} MiB")
        info = [sys.executable, "-m", "rma_mamba.cli", "info", "--json"]
        timed("rma-mamba info", lambda: subprocess.run(info, check=True, capture_output=True), 5)


if __name__ == "__main__":
    print(f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores, torch {torch.__version__}")
    for chosen in sys.argv[1:] or ["scan", "step", "segment"]:
        {"scan": scan, "step": step, "segment": segment}[chosen]()
