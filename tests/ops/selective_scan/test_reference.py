"""The reference is differentiated correctly."""

import pytest
import torch
from hypothesis import settings

from rma_mamba.ops import cross_selective_scan, scan_2d
from rma_mamba.ops.selective_scan import numba_cpu, reference
from scan_inputs import Size, assert_close, cross_inputs, scan_inputs

CONFIGURED = settings(max_examples=25, deadline=None)
NUMBA = numba_cpu.BLOCK


@pytest.mark.parametrize("size", [Size(1, 2, 3, 2, 1, 4), Size(2, 3, 2, 3, 2, 3)])
def test_a_cross_scan_equals_a_scan_with_step_sizes_of_low_rank(size: Size) -> None:
    inputs = cross_inputs(size, rank=2, dtype=torch.float64)
    u, gates, weight, A, D, bias = inputs
    delta = torch.einsum("bhwkr,kcr->kbhwc", gates[..., :2], weight)
    B, C = gates[..., 2:].split(size.states, -1)
    expected = scan_2d(u, delta, A, B, C, D, bias, backend="reference")
    assert_close(cross_selective_scan(*inputs, backend="reference"), expected, torch.float64)
    leaves = [each.requires_grad_() for each in inputs]
    assert torch.autograd.gradcheck(
        lambda *args: cross_selective_scan(*args, backend="reference"), leaves
    )


@pytest.mark.parametrize("size", [Size(1, 1, 1, 1, 1, 1), Size(2, 2, 3, 2, 2, 4)])
@pytest.mark.parametrize("softplus", [True, False])
def test_gradients_match_finite_differences(size: Size, softplus: bool) -> None:
    inputs = [each.requires_grad_() for each in scan_inputs(size, dtype=torch.float64)]
    assert torch.autograd.gradcheck(
        lambda *args: scan_2d(*args, delta_softplus=softplus, backend="reference"), inputs
    )


def test_the_scan_order_is_rows_columns_and_the_reverse_of_each() -> None:
    orders = [reference.scan_order(k, 2, 3).tolist() for k in range(4)]
    assert orders == [
        [0, 1, 2, 3, 4, 5],
        [0, 3, 1, 4, 2, 5],
        [5, 4, 3, 2, 1, 0],
        [5, 2, 4, 1, 3, 0],
    ]
