"""A cross scan through a plain scan gives the same results as one that computes its step sizes in the kernel."""

import pytest
import torch

from rma_mamba.ops.selective_scan import low_rank, numba_cpu, reference
from rma_mamba.ops.selective_scan.arguments import CrossScanArgs
from scan_inputs import Size, assert_close, cross_inputs


@pytest.mark.parametrize("rank", [1, 4])
def test_outputs_and_gradients_are_those_of_the_fused_kernel(rank: int) -> None:
    args = CrossScanArgs(*cross_inputs(Size(2, 3, 5, 6, 2, 4), rank))
    assert rank <= numba_cpu.MAX_RANK  # the kernel computes the step sizes
    expected, states = numba_cpu.cross_forward(args, True)
    y, saved = low_rank.cross_forward(reference.forward, args, True)
    assert_close(y, expected)
    grad_y = torch.randn(y.shape, generator=torch.Generator().manual_seed(2))
    grads = low_rank.cross_backward(reference.backward, args, grad_y, saved)
    for grad, other, tensor in zip(
        grads, numba_cpu.cross_backward(args, grad_y, states), args.tensors, strict=True
    ):
        assert grad.shape == tensor.shape
        assert_close(grad, other)


def test_above_the_maximum_rank_the_cpu_backend_uses_a_matrix_product(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[int] = []

    def cross_forward(forward, args, save_states):  # type: ignore[no-untyped-def]
        calls.append(args.rank)
        return forward(low_rank._expand(args)[1], save_states)

    monkeypatch.setattr(numba_cpu.low_rank, "cross_forward", cross_forward)
    for rank in (numba_cpu.MAX_RANK, numba_cpu.MAX_RANK + 1):
        numba_cpu.cross_forward(CrossScanArgs(*cross_inputs(Size(1, 2, 2, 3, 1, 4), rank)), False)
    assert calls == [numba_cpu.MAX_RANK + 1]
