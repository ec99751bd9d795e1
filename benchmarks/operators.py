"""The scan alone: forward and backward pass of every backend, at the sizes of the four stages of RMA-Mamba-T."""

from __future__ import annotations

from functools import partial

import torch
from measure import Report, Work, milliseconds, peak_rates, table, time_interleaved
from peers import Scan, installed_extensions, loop
from torch import Tensor

from rma_mamba.ops import available_backends, cross_selective_scan
from rma_mamba.ops.backends import BACKENDS

STAGES = ((64, 192, 6), (32, 384, 12), (16, 768, 24), (8, 1536, 48))  # side, channels, rank
SLOW = (
    "reference",
    "sequential PyTorch loop",
)  # takes minutes at full size: timed on one image, in one round
TOLERANCE = {torch.float32: 2e-5, torch.bfloat16: 2e-2}


def inputs(
    batch: int, side: int, channels: int, rank: int, device: str, dtype: torch.dtype
) -> list[Tensor]:
    """u, gates, delta_weight, A, D and delta_bias of one call."""
    random = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=random).to(device)

    return [
        normal(batch, side, side, channels).to(dtype),
        normal(batch, side, side, 4, rank + 2).to(dtype),
        normal(4, channels, rank) / rank**0.5,
        -torch.rand(4, channels, 1, generator=random).to(device) - 0.2,
        normal(4, channels),
        normal(4, channels) - 3,
    ]


def scans(device: str) -> dict[str, Scan]:
    """Every implementation available on this machine, by name."""
    ready = available_backends()
    names = [
        each.name for each in BACKENDS if not ready[each.name] and each.device in ("any", device)
    ]
    found = {name: partial(cross_selective_scan, backend=name) for name in names}
    found["sequential PyTorch loop"] = loop
    return found | (installed_extensions() if device == "cuda" else {})


def check_against_reference(name: str, scan: Scan, device: str, dtype: torch.dtype) -> None:
    """Stop unless outputs and gradients equal those of the reference."""
    tensors = inputs(2, 9, 64, 3, device, dtype)
    results = []
    for compute in (partial(cross_selective_scan, backend="reference"), scan):
        leaves = [each.clone().requires_grad_() for each in tensors]
        y = compute(*leaves)
        weights = torch.randn(y.shape, generator=torch.Generator().manual_seed(1)).to(y)
        results.append([y.detach(), *torch.autograd.grad((y * weights).sum(), leaves)])
    for expected, got in zip(*results, strict=True):
        apart = float((got.float() - expected.float()).abs().max() / expected.float().abs().max())
        if not apart <= TOLERANCE[dtype]:
            raise SystemExit(
                f"{name} differs from the reference by {apart:.2g}; expected at most {TOLERANCE[dtype]:g}. "
                "Fix it before timing it."
            )


def forward_and_backward(scan: Scan, leaves: list[Tensor]) -> None:
    """Forward and backward pass."""
    torch.autograd.grad(scan(*leaves).sum(), leaves)


def run(device: str = "cpu", batches: tuple[int, ...] = (1, 16)) -> Report:
    """Tables for float32 and bfloat16."""
    copied = peak_rates(device).copied_bytes
    parts = []
    for dtype in (torch.float32, torch.bfloat16):
        rows = []
        for batch in batches:
            for side, channels, rank in STAGES:
                rows += _rows(device, dtype, copied, batch, side, channels, rank)
        heading = [
            "batch, map, channels", "backend", "forward, ms", "forward + backward, ms",
            "x reference", "x loop", "fraction of copy bandwidth",
        ]  # fmt: skip
        parts.append(f"### {str(dtype).removeprefix('torch.')}\n\n{table(heading, rows)}")
    if device == "cpu":
        parts.append(f"### Targets\n\n{_targets()}")
    return Report("\n\n".join(parts))


def _targets() -> str:
    """The first stage alone: one image, float32, CPU backend."""
    tensors = inputs(1, *STAGES[0], "cpu", torch.float32)
    leaves = [each.clone().requires_grad_() for each in tensors]
    y = cross_selective_scan(*leaves, backend="numba")
    works = {
        "forward": partial(cross_selective_scan, *tensors, backend="numba"),
        "backward": partial(
            torch.autograd.grad, y, leaves, grad_outputs=torch.ones_like(y), retain_graph=True
        ),
    }
    times = time_interleaved(works, rounds=50)
    forward, backward = times["forward"].best, times["backward"].best
    rows = [
        ["scan of the first stage, forward pass", f"{1e3 * forward:.2f} ms", "at most 2.5 ms"],
        ["backward pass / forward pass", f"{backward / forward:.2f}", "at most 3"],
    ]
    return table(["measurement", "value", "target"], rows)


def _rows(
    device: str, dtype: torch.dtype, copied: float, batch: int, side: int, channels: int, rank: int
) -> list[list[object]]:
    tensors = inputs(batch, side, channels, rank, device, dtype)
    leaves = [each.clone().requires_grad_() for each in tensors]
    fast: dict[str, tuple[Work, Work]] = {}
    slow: dict[str, tuple[Work, Work]] = {}
    for name, scan in scans(device).items():
        check_against_reference(name, scan, device, dtype)
        (slow if name in SLOW else fast)[name] = (
            partial(scan, *tensors),
            partial(forward_and_backward, scan, leaves),
        )
    if batch > 1:
        slow = {}
    times = {}
    for works, rounds in ((fast, 15), (slow, 1)):
        for index in range(2):
            chosen = {name: pair[index] for name, pair in works.items()}
            for name, timing in time_interleaved(chosen, rounds=rounds, device=device).items():
                times[name, index] = timing
    # Minimum traffic: u, gates and y in the forward pass; the same and their gradients in the backward pass.
    least = sum(each.numel() * each.element_size() for each in (tensors[0], tensors[0], tensors[1]))
    rows: list[list[object]] = []
    for name in (*fast, *slow):
        forward, whole = times[name, 0], times[name, 1]
        ratios = [
            f"{times[other, 1].best / whole.best:.0f}" if (other, 1) in times else "-"
            for other in SLOW
        ]
        share = f"{100 * 3 * least / whole.best / copied:.0f}%"
        rows.append([
            f"{batch}, {side} x {side}, {channels}", name, milliseconds(forward), milliseconds(whole),
            *ratios, share,
        ])  # fmt: skip
    return rows
