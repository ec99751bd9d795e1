"""Gradients of kernels become gradients of arguments, in their order, shape and dtype."""

import torch

from rma_mamba.ops.selective_scan.arguments import CrossScanArgs, ScanArgs
from rma_mamba.ops.selective_scan.gradients import KernelGradients, of_cross_scan, of_scan
from scan_inputs import Size, cross_inputs, scan_inputs

SIZE = Size(2, 3, 4, 5, 2, 4)


def kernel_gradients(args: ScanArgs | CrossScanArgs) -> KernelGradients:
    """Distinct float32 values; the gates have the width that the arguments imply."""
    if isinstance(args, ScanArgs):
        gates = torch.rand(2, 12, 4, 4)
        return KernelGradients(
            torch.rand(2, 12, 5), torch.rand(4, 2, 12, 5), gates, torch.empty(4, 5, 0),
            torch.rand(4, 5, 2), torch.rand(4, 5), torch.rand(4, 5),
        )  # fmt: skip
    return KernelGradients(
        torch.rand(2, 12, 5), torch.empty(0), torch.rand(2, 12, 4, 7), torch.rand(4, 5, 3),
        torch.rand(4, 5, 2), torch.rand(4, 5), torch.rand(4, 5),
    )  # fmt: skip


def test_gradients_of_the_gates_are_split_in_two() -> None:
    args = ScanArgs(*scan_inputs(SIZE, dtype=torch.bfloat16), True)
    found = kernel_gradients(args)
    grads = of_scan(found, args)
    for grad, tensor in zip(grads, args.tensors, strict=True):
        assert grad.shape == tensor.shape
        assert grad.dtype == torch.bfloat16
        assert grad.is_contiguous()
    _, _, _, gB, gC, gD, gbias = grads
    assert torch.equal(gB.flatten(1, 2), found.gates[..., :2].bfloat16())
    assert torch.equal(gC.flatten(1, 2), found.gates[..., 2:].bfloat16())
    assert torch.equal(gD, found.D.bfloat16())
    assert torch.equal(gbias, found.delta_bias.bfloat16())


def test_no_two_gradients_share_memory() -> None:
    args = ScanArgs(*scan_inputs(SIZE), True)
    grads = of_scan(kernel_gradients(args), args)
    assert len({each.untyped_storage().data_ptr() for each in grads}) == len(grads)


def test_gradients_of_a_cross_scan_keep_the_gates_together() -> None:
    args = CrossScanArgs(*cross_inputs(SIZE, rank=3))
    found = kernel_gradients(args)
    grads = of_cross_scan(found, args)
    assert [each.shape for each in grads] == [each.shape for each in args]
    assert torch.equal(grads[1].flatten(1, 2), found.gates)
    assert torch.equal(grads[2], found.weight)
