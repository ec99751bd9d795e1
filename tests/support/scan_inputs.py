"""Inputs of the scan as hypothesis draws them, and the one place where tolerances stand."""

from dataclasses import dataclass

import torch
from hypothesis import strategies as st
from torch import Tensor

# Largest difference, relative to the largest expected value.
TOLERANCE = {
    torch.float64: 1e-12,  # same operations in the same order
    torch.float32: 2e-5,  # polynomials of 2 ulp, other order of summation over a hundred steps
    torch.bfloat16: 2e-2,  # 8 bits of mantissa in and out, float32 between
}


def assert_close(got: Tensor, expected: Tensor, dtype: torch.dtype = torch.float32) -> None:
    """Both finite, of one shape, and nowhere further apart than the tolerance of `dtype`."""
    assert got.shape == expected.shape
    assert torch.isfinite(got).all()
    scale = max(float(expected.abs().max()), 1e-3)
    apart = float((got.double() - expected.double()).abs().max()) / scale
    assert apart <= TOLERANCE[dtype], apart


@dataclass(frozen=True)
class Size:
    """Sizes of a 2-D scan."""

    batch: int
    height: int
    width: int
    channels: int
    states: int
    directions: int


def sizes() -> st.SearchStrategy[Size]:
    side = st.integers(1, 12)
    return st.builds(
        Size, st.integers(1, 3), side, side, st.integers(1, 9), st.integers(1, 3), st.integers(1, 4)
    )


def scan_inputs(size: Size, seed: int = 0, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    """u, delta, A, B, C, D, bias: step sizes around 0.1, decay rates around -1."""
    random = torch.Generator().manual_seed(seed)
    k, c, n = size.directions, size.channels, size.states
    maps = (size.batch, size.height, size.width)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=random, dtype=torch.float64)

    inputs = [
        normal(*maps, c),
        normal(k, *maps, c) - 1,
        -torch.rand((k, c, n), generator=random, dtype=torch.float64) - 0.2,
        normal(*maps, k, n),
        normal(*maps, k, n),
        normal(k, c),
        0.5 * normal(k, c) - 1,
    ]
    return [each.to(dtype) for each in inputs]


def cross_inputs(
    size: Size, rank: int, seed: int = 0, dtype: torch.dtype = torch.float32
) -> list[Tensor]:
    """u, gates, weight, A, D, bias of a cross scan with step sizes of this rank."""
    u, _, A, B, C, D, bias = scan_inputs(size, seed, dtype)
    random = torch.Generator().manual_seed(seed + 1)
    steps = torch.randn((*B.shape[:4], rank), generator=random, dtype=torch.float64).to(dtype)
    weight = torch.randn((*D.shape, rank), generator=random, dtype=torch.float64).to(dtype)
    return [u, torch.cat([steps, B, C], -1), weight / rank**0.5, A, D, bias]
