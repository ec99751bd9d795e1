"""The custom operators can be compiled, exported and traced."""

import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest
import torch
from hypothesis import settings

from rma_mamba.ops import cross_selective_scan, scan_2d
from rma_mamba.ops.selective_scan import custom_ops, numba_cpu
from scan_inputs import Size, cross_inputs, scan_inputs

CONFIGURED = settings(max_examples=25, deadline=None)
NUMBA = numba_cpu.BLOCK


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("backend", ["numba", "reference"])
def test_the_operators_pass_the_checks_of_torch(backend: str, keep: bool) -> None:
    size = Size(1, 3, 4, 5, 1, 4)
    inputs = [each.requires_grad_(keep) for each in scan_inputs(size)]
    cross = [each.requires_grad_(keep) for each in cross_inputs(size, 2)]
    operators, checks = torch.ops.rma_mamba, ("schema", "autograd_registration", "faketensor")
    for operator, given_ in (
        (operators.scan_2d, (*inputs, True, keep, backend)),
        (operators.cross_scan, (*cross, keep, backend)),
    ):
        tests = tuple(f"test_{check}" for check in checks)
        torch.library.opcheck(operator.default, given_, test_utils=tests)


@pytest.mark.parametrize("backend", ["numba", "reference"])
def test_gradients_are_contiguous_as_compiled_graphs_require(backend: str) -> None:
    cross = [each.requires_grad_() for each in cross_inputs(Size(1, 3, 4, 5, 3, 4), 2)]
    grads = torch.autograd.grad(cross_selective_scan(*cross, backend=backend).sum(), cross)
    assert [each.stride() for each in grads] == [each.contiguous().stride() for each in grads]


def test_on_the_meta_device_only_shapes_are_computed() -> None:
    u, gates, *parameters = [each.to("meta") for each in cross_inputs(Size(1, 1, 1, 64, 1, 4), 2)]
    maps = [each.new_empty((1, 512, 512, *each.shape[3:])) for each in (u, gates)]
    assert cross_selective_scan(*maps, *parameters).shape == (1, 512, 512, 64)
    assert scan_2d(*[each.to("meta") for each in scan_inputs(Size(1, 5, 6, 7, 1, 4))]).is_meta


@pytest.mark.parametrize("requires_grad", [False, True])
def test_only_calls_that_need_gradients_go_through_the_operator(requires_grad: bool) -> None:
    inputs = cross_inputs(Size(1, 3, 4, 5, 1, 4), 2)
    inputs[0].requires_grad_(requires_grad)
    with mock.patch.object(
        custom_ops, "cross_scan", side_effect=custom_ops.cross_scan, autospec=True
    ) as operator:
        y = cross_selective_scan(*inputs)
    assert operator.called == requires_grad
    assert y.requires_grad == requires_grad


def test_inference_does_not_import_dynamo() -> None:
    script = """
import sys, torch
from rma_mamba.ops import cross_selective_scan
from scan_inputs import Size, cross_inputs
inputs = cross_inputs(Size(1, 3, 4, 5, 1, 4), 2)
cross_selective_scan(*inputs, backend="reference")
assert "torch._dynamo" not in sys.modules
inputs[0].requires_grad_()
cross_selective_scan(*inputs, backend="reference")
assert "torch._dynamo" in sys.modules
"""
    support = str(Path(__file__).parents[2] / "support")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([support, *sys.path])}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr[-2000:]
