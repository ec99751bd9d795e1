"""The Triton kernels, forward and backward, against the reference."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from rma_mamba.ops import backends, cross_selective_scan, selective_scan

TOLERANCE = {torch.float32: 5e-5, torch.bfloat16: 3e-2, torch.float16: 5e-3}
CROSS_INPUTS = ("u", "gates", "delta_weight", "A", "D", "delta_bias")
SEQUENCE_INPUTS = ("u", "delta", "A", "B", "C", "D", "delta_bias")


@dataclass(frozen=True)
class Size:
    """Size of one call: a feature map, or with height 1 and one way the slices of a scan."""

    batch: int
    height: int
    width: int
    channels: int
    rank: int
    states: int = 1
    ways: int = 4

    def __str__(self) -> str:
        return (
            f"{self.batch} x {self.height} x {self.width} x {self.channels}, rank {self.rank}, "
            f"{self.states} state(s), {self.ways} way(s)"
        )


QUICK = (Size(1, 3, 4, 5, 2), Size(2, 1, 5, 3, 1, ways=1))
SIZES = (
    *QUICK,
    Size(1, 1, 1, 1, 1),
    Size(2, 7, 7, 33, 3),
    Size(1, 31, 17, 96, 6, 2),
    Size(2, 64, 64, 192, 6),
    Size(3, 33, 65, 130, 9),
    Size(1, 8, 8, 1536, 48),
    Size(500, 1, 37, 64, 4, ways=1),
)
LENGTHS = (
    (1, 3, 9, 2),
    (1, 4, 1, 1),
    (2, 12, 37, 3),
    (2, 96, 1023, 16),
)  # batch, channels, length, states


def check_kernels(device: str, *, quick: bool = False) -> dict[str, Any]:
    """Error of each output and gradient relative to its largest value.

    Returns:
        "errors": a row for each operator, size and precision; "failed" names those above the tolerance.
    """
    if device == "cpu":
        _interpret()
    rows = [
        _row("cross scan", str(size), dtype, _cross_errors(size, dtype, device))
        for dtype in TOLERANCE
        for size in (QUICK if quick else SIZES)
    ]
    rows += [
        _row("scan", " x ".join(map(str, size)), torch.float32, _sequence_errors(size, device))
        for size in (LENGTHS[:1] if quick else LENGTHS)
    ]
    wrong = [f"{row['operator']} {row['size']} {row['precision']}" for row in rows if row["wrong"]]
    found: dict[str, Any] = {"errors": rows}
    return found | ({"failed": f"differs from the reference: {'; '.join(wrong)}"} if wrong else {})


def _interpret() -> None:
    """Let the Triton backend run on a CPU, in Triton's interpreter, in blocks that suit its speed."""
    from rma_mamba.ops.selective_scan import triton_gpu  # imports triton

    triton_gpu.POSITIONS, triton_gpu.CHANNELS = 8, 4
    backends.BACKENDS = tuple(  # type: ignore[misc]
        replace(each, device="any") if each.name == "triton" else each for each in backends.BACKENDS
    )


def _row(operator: str, size: str, dtype: torch.dtype, errors: dict[str, float]) -> dict[str, Any]:
    wrong = [name for name, error in errors.items() if not error <= TOLERANCE[dtype]]
    precision = str(dtype).removeprefix("torch.")
    return {
        "operator": operator, "size": size, "precision": precision, "wrong": wrong, **errors,
    }  # fmt: skip


def _cross_errors(size: Size, dtype: torch.dtype, device: str) -> dict[str, float]:
    random = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=random)

    batch, height, width, channels = size.batch, size.height, size.width, size.channels
    ways, states = size.ways, size.states
    leaves = [
        normal(batch, height, width, channels).to(dtype),
        normal(batch, height, width, ways, size.rank + 2 * states).to(dtype),
        normal(ways, channels, size.rank) / size.rank**0.5,
        -torch.rand(ways, channels, states, generator=random) - 0.2,
        normal(ways, channels),
        normal(ways, channels) - 3,
    ]
    weights = normal(batch, height, width, channels)
    return _errors(cross_selective_scan, leaves, weights, CROSS_INPUTS, device)


def _sequence_errors(size: tuple[int, int, int, int], device: str) -> dict[str, float]:
    batch, channels, length, states = size
    random = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=random)

    leaves = [
        normal(batch, channels, length),
        normal(batch, channels, length),
        -torch.rand(channels, states, generator=random) - 0.2,
        normal(batch, states, length),
        normal(batch, states, length),
        normal(channels),
        normal(channels) - 3,
    ]

    def scan(*inputs: Tensor, backend: str) -> Tensor:
        u, delta, A, B, C, D, bias = inputs
        return selective_scan(
            u, delta, A, B, C, D, delta_bias=bias, delta_softplus=True, backend=backend
        )

    return _errors(scan, leaves, normal(batch, channels, length), SEQUENCE_INPUTS, device)


def _errors(scan, leaves, weights, names, device) -> dict[str, float]:  # type: ignore[no-untyped-def]
    """Compare with the reference in single precision on the same, possibly rounded, inputs."""
    results = []
    for backend, single in (("reference", True), ("triton", False)):
        inputs = [
            (each.float() if single else each).to(device, copy=True).requires_grad_()
            for each in leaves
        ]
        y = scan(*inputs, backend=backend)
        grads = torch.autograd.grad((y.float() * weights.to(device)).sum(), inputs)
        results.append([y.detach(), *grads])
    return {
        name: float((got.float() - expected).abs().max() / expected.abs().max().clamp(min=1e-12))
        for name, expected, got in zip(
            ("y", *(f"gradient of {name}" for name in names)), *results, strict=True
        )
    }
