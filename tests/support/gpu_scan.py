"""Compares the operators on a GPU with the reference on the CPU; ends with an error where they differ.

A process of its own, because the tests' own process runs Triton's interpreter.
"""

import torch

from rma_mamba.ops import cross_selective_scan, scan_2d
from scan_inputs import Size, assert_close, cross_inputs, scan_inputs

SIZE = Size(2, 17, 23, 70, 1, 4)


def main() -> None:
    """Both operators, forwards and backwards, in three types."""
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        tolerance = torch.float32 if dtype == torch.float32 else torch.bfloat16
        cross = [each.to(dtype) if i < 2 else each for i, each in enumerate(cross_inputs(SIZE, 5))]
        scan = [
            each.to(dtype) if i in (0, 1, 3, 4) else each
            for i, each in enumerate(scan_inputs(SIZE))
        ]
        for operator, inputs in ((cross_selective_scan, cross), (scan_2d, scan)):
            results = []
            for device, backend in (("cpu", "reference"), ("cuda", "triton")):
                leaves = [each.to(device).requires_grad_() for each in inputs]
                y = operator(*leaves, backend=backend)
                weights = torch.randn(y.shape, generator=torch.Generator().manual_seed(1)).to(y)
                results.append([y, *torch.autograd.grad((y * weights).sum(), leaves)])
            for expected, got in zip(*results, strict=True):
                assert_close(got.cpu(), expected, tolerance)


if __name__ == "__main__":
    main()
