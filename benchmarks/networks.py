"""Whole networks at 256 x 256: forward pass and training step, compared with U-Net and with a scan in a Python loop."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import torch
from measure import Report, Timing, milliseconds, peak_rates, table, time_interleaved
from peers import loop
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from rma_mamba.models import create_model, for_inference, vss
from rma_mamba.training.config import TrainingConfig
from rma_mamba.training.losses import segmentation_loss
from rma_mamba.training.optimizer import make_optimizer

NAMES = ("rma-mamba-n", "rma-mamba-t", "rma-mamba-s", "unet")
SIDE = 256


def forward(model: nn.Module, images: torch.Tensor, dtype: torch.dtype) -> None:
    """Forward pass as in `segment`."""
    half = dtype != torch.float32
    with torch.inference_mode(), torch.autocast(images.device.type, dtype, enabled=half):
        model(images)


def step(
    model: nn.Module, optimizer: torch.optim.Optimizer, images: torch.Tensor, dtype: torch.dtype
) -> None:
    """Forward pass, loss, backward pass and optimiser step."""
    label = torch.zeros_like(images[:, :1])
    optimizer.zero_grad()
    with torch.autocast(images.device.type, dtype, enabled=dtype != torch.float32):
        maps = model(images)
    segmentation_loss(maps, label).backward()
    optimizer.step()


def gigaflop(model: nn.Module, images: torch.Tensor) -> float:
    """GFLOP of matrix multiplications and convolutions in one forward pass."""
    counter = FlopCounterMode(display=False)
    with counter, torch.inference_mode():
        model(images)
    return counter.get_total_flops() / 1e9


@contextmanager
def with_loop() -> Iterator[None]:
    """Make networks scan with the loop of `peers`."""
    original = vss.cross_selective_scan
    vss.cross_selective_scan = loop
    try:
        yield
    finally:
        vss.cross_selective_scan = original


def run(device: str = "cpu", batches: tuple[int, ...] = (1, 2)) -> Report:
    """Tables of forward passes, training steps and targets."""
    rate = peak_rates(device)
    parts, times = [], {}
    for batch in batches:
        found = _forwards(device, batch)
        times.update({(batch, *key): timing for key, timing in found.items()})
        parts.append(f"### Forward, batch {batch}\n\n{_table(device, batch, found, rate)}")
    training = _steps(device, max(batches))
    rows = [
        [name, str(dtype).removeprefix("torch."), milliseconds(timing)]
        for (name, dtype), timing in training.items()
    ]
    parts.append(
        f"### Training step, batch {max(batches)}\n\n{table(['network', 'precision', 'step, ms'], rows)}"
    )
    if device == "cpu":
        parts.append(f"### Targets\n\n{_targets(times, training, rate)}")
    bars = {
        f"{name}, {str(dtype).removeprefix('torch.')}": 1e3 * timing.best
        for (batch, name, dtype), timing in times.items()
        if batch == 1
    }
    return Report("\n\n".join(parts), bars)


def _forwards(device: str, batch: int) -> dict[tuple[str, torch.dtype], Timing]:
    images = torch.rand(batch, 3, SIDE, SIDE, device=device)
    works = {}
    for name in NAMES:
        trained = create_model(name)
        for dtype in (torch.float32, torch.bfloat16):
            model = for_inference(trained, dtype).to(device)
            works[name, dtype] = partial(forward, model, images, dtype)
    times = time_interleaved(works, device=device)  # type: ignore[type-var]
    if batch == 1:
        with with_loop():
            model = for_inference(create_model("rma-mamba-t")).to(device)
            work = {"loop": partial(forward, model, images, torch.float32)}
            times["rma-mamba-t, scan in a loop", torch.float32] = time_interleaved(
                work, rounds=2, device=device
            )["loop"]  # type: ignore[index]
    return times  # type: ignore[return-value]


def _table(device: str, batch: int, times: dict[tuple[str, torch.dtype], Timing], rate) -> str:  # type: ignore[no-untyped-def]
    images = torch.rand(batch, 3, SIDE, SIDE, device=device)
    unet = times["unet", torch.float32].best
    rows = []
    for (name, dtype), timing in times.items():
        flops = gigaflop(for_inference(create_model(name.split(",")[0])).to(device), images)
        speed = rate.float32_flops if dtype == torch.float32 else rate.bfloat16_flops
        floor = flops * 1e9 / speed
        rows.append([
            name, str(dtype).removeprefix("torch."), milliseconds(timing), f"{flops:.1f}",
            f"{timing.best / floor:.2f}", f"{timing.best / unet:.2f}",
        ])  # fmt: skip
    heading = ["network", "precision", "forward, ms", "GFLOP", "x matmul bound", "x U-Net, float32"]
    return table(heading, rows)


def _steps(device: str, batch: int) -> dict[tuple[str, torch.dtype], Timing]:
    images = torch.rand(batch, 3, SIDE, SIDE, device=device)
    works = {}
    for name in ("rma-mamba-n", "rma-mamba-t", "unet"):
        model = create_model(name).to(device)
        optimizer = make_optimizer(model, TrainingConfig())
        for dtype in (torch.float32, torch.bfloat16):
            works[name, dtype] = partial(step, model, optimizer, images, dtype)
    return time_interleaved(works, rounds=5, device=device)  # type: ignore[type-var,return-value]


def _targets(times, training, rate) -> str:  # type: ignore[no-untyped-def]
    one, half = torch.float32, torch.bfloat16
    t, t16 = times[1, "rma-mamba-t", one].best, times[1, "rma-mamba-t", half].best
    looped = times[1, "rma-mamba-t, scan in a loop", one].best
    images = torch.rand(1, 3, SIDE, SIDE)
    floor = gigaflop(for_inference(create_model("rma-mamba-t")), images) * 1e9 / rate.bfloat16_flops
    batch = max(key[0] for key in times)
    rows = [
        ["T forward float32 / U-Net float32", t / times[1, "unet", one].best, "at most 0.30"],
        ["T with a loop / T, float32", looped / t, "at least 5"],
        ["T forward bfloat16 / matmul bound", t16 / floor, "at most 2"],
        [
            "S forward bfloat16 / T forward bfloat16",
            times[1, "rma-mamba-s", half].best / t16,
            "at most 2",
        ],
        [
            f"T training step / T forward, batch {batch}, float32",
            training["rma-mamba-t", one].best / times[batch, "rma-mamba-t", one].best,
            "at most 3.3",
        ],
    ]
    return table(["ratio", "measured", "target"], rows)
