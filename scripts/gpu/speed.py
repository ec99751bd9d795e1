"""Timings on the GPU: the scan alone beside other implementations, and whole networks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from itertools import product
from typing import Any

import torch
from measure import Timing, time_interleaved
from networks import forward, gigaflop, step
from operators import STAGES, forward_and_backward, inputs, scans
from torch import nn

from rma_mamba.models import create_model, for_inference

NAMES = ("rma-mamba-n", "rma-mamba-t", "rma-mamba-s")
BATCHES = (1, 16, 8, 64)  # the most telling first: time may run out
DTYPES = (torch.float32, torch.bfloat16)
SIDE = 256
COMPILED_BATCHES = (16,)  # each compilation takes a minute
SLOW = ("reference", "sequential PyTorch loop")


def time_scans(device: str, *, quick: bool = False) -> dict[str, Any]:
    """Milliseconds of the scan, forward and with its backward pass, at the sizes of the stages of RMA-Mamba-T."""
    rows = []
    for dtype, (side, channels, rank) in product(DTYPES, [(4, 8, 2)] if quick else STAGES):
        tensors = inputs(1 if quick else 16, side, channels, rank, device, dtype)
        leaves = [each.clone().requires_grad_() for each in tensors]
        found = {name: scan for name, scan in scans(device).items() if quick or name not in SLOW}
        works = {(name, "forward"): partial(scan, *tensors) for name, scan in found.items()}
        works |= {
            (name, "forward and backward"): partial(forward_and_backward, scan, leaves)
            for name, scan in found.items()
        }
        times = time_interleaved(works, rounds=1 if quick else 7, device=device)  # type: ignore[type-var]
        rows += [
            {"scan": name, "pass": passes, "side": side, "channels": channels}
            | {"precision": _name(dtype)} | _milliseconds(timing)
            for (name, passes), timing in times.items()
        ]  # fmt: skip
    return {"rows": rows}


def time_networks(device: str, deadline: float, *, quick: bool = False) -> dict[str, Any]:
    """Milliseconds of forward passes and training steps, eager and compiled, as far as the time allows."""
    rows: list[dict[str, Any]] = []
    skipped: list[str] = []
    for key in _plan(quick):
        if time.monotonic() > deadline:
            skipped.append(", ".join(map(str, key.values())))
            continue
        try:
            rows.append(key | _time_network(device, quick=quick, **key))
        except torch.OutOfMemoryError:
            rows.append(key | {"failed": "out of memory"})
    return {"rows": rows, "skipped for lack of time": skipped}


def _plan(quick: bool) -> Iterator[dict[str, Any]]:
    batches, names = ((2,), NAMES[:1]) if quick else (BATCHES, NAMES)
    for batch, name, dtype in product(batches, names, DTYPES):
        yield {"network": name, "batch": batch, "precision": _name(dtype), "compiled": False}
    for batch, name, dtype in product(() if quick else COMPILED_BATCHES, names, DTYPES[::-1]):
        yield {"network": name, "batch": batch, "precision": _name(dtype), "compiled": True}


def _time_network(
    device: str, *, quick: bool, network: str, batch: int, precision: str, compiled: bool
) -> dict[str, Any]:
    side = 64 if quick else SIDE
    images = torch.rand(batch, 3, side, side, device=device)
    dtype = getattr(torch, precision)
    flops = gigaflop(for_inference(create_model(network)).to(device), images)
    trained: nn.Module = create_model(network).to(device)
    applied: nn.Module = for_inference(create_model(network)).to(device)
    optimizer = torch.optim.AdamW(trained.parameters(), 1e-4)
    if compiled:
        trained, applied = torch.compile(trained), torch.compile(applied)  # type: ignore[assignment]
    times = time_interleaved(
        {
            "forward": partial(forward, applied, images, dtype),
            "training step": partial(step, trained, optimizer, images, dtype),
        },
        rounds=1 if quick else 5,
        device=device,
    )
    if device.startswith("cuda"):
        torch.cuda.empty_cache()
    return {"GFLOP": flops} | {name: _milliseconds(timing) for name, timing in times.items()}


def _milliseconds(timing: Timing) -> dict[str, float]:
    return {"ms": 1e3 * timing.best, "median ms": 1e3 * timing.median}


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
