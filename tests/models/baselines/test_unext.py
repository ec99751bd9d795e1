"""UNeXt shifts chunks of channels, which gives its linear layers a spatial reach."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from rma_mamba.models.baselines.unext import ShiftedBlock, shifted


def moved(x: Tensor, dim: int) -> Tensor:
    """Element by element: position i takes the value at i - offset, or zero."""
    out = torch.zeros_like(x)
    length, chunk = x.shape[dim], -(-x.shape[1] // 5)
    for channel in range(x.shape[1]):
        offset = channel // chunk - 2
        for target in range(length):
            if 0 <= target - offset < length:
                source = x[:, channel].select(dim - 1, target - offset)
                out[:, channel].select(dim - 1, target).copy_(source)
    return out


@given(
    channels=st.integers(1, 13),
    height=st.integers(1, 5),
    width=st.integers(1, 5),
    dim=st.sampled_from([2, 3]),
)
def test_chunks_shift_by_at_most_two_positions_with_zero_padding(
    channels: int, height: int, width: int, dim: int
) -> None:
    x = torch.rand(2, channels, height, width) + 1
    assert torch.equal(shifted(x, dim), moved(x, dim))


def test_the_comparison_can_fail() -> None:
    x = torch.rand(1, 5, 4, 4) + 1
    assert not torch.equal(shifted(x, 2), moved(x, 3))


@pytest.mark.parametrize(("rows", "columns"), [(3, 0), (0, 3)])
def test_a_block_has_a_reach_of_three_positions(rows: int, columns: int) -> None:
    torch.manual_seed(0)
    block, x = ShiftedBlock(10), torch.randn(1, 10, 9, 9, requires_grad=True)
    block(x)[0, :, 4, 4].square().sum().backward()
    assert x.grad is not None
    seen = x.grad.abs().sum((0, 1)) > 0
    assert seen[4 + rows, 4 + columns]
    assert seen[4 - rows, 4 - columns]
    assert not seen[4 + (rows and 4), 4 + (columns and 4)]
