"""The public functions compute the recurrence on every backend, in any dtype and memory layout."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from rma_mamba.errors import BackendError
from rma_mamba.ops import scan_2d, selective_scan
from rma_mamba.ops.selective_scan import numba_cpu
from scan_inputs import Size, assert_close, cross_inputs, scan_inputs
from scan_runs import run, run_cross

CONFIGURED = settings(max_examples=25, deadline=None)
NUMBA = numba_cpu.BLOCK


@pytest.mark.parametrize("rank", [3, numba_cpu.MAX_RANK + 1])
@pytest.mark.parametrize("backend", ["numba", "reference"])
def test_a_cross_scan_in_bfloat16_keeps_the_dtypes_of_its_inputs(backend: str, rank: int) -> None:
    inputs = cross_inputs(Size(2, 8, 9, 6, 1, 4), rank)
    mixed = [
        each.bfloat16() if i < 2 else each for i, each in enumerate(inputs)
    ]  # as autocast does
    rounded = [each.float() for each in mixed]
    expected, expected_grads = run_cross(rounded, "reference")
    got, grads = run_cross(mixed, backend)
    assert [each.dtype for each in (got, *grads)] == [torch.bfloat16] * 3 + [torch.float32] * 4
    assert_close(got, expected, torch.bfloat16)
    for each, other in zip(grads, expected_grads, strict=True):
        assert_close(each, other, torch.bfloat16)


@pytest.mark.parametrize("backend", ["numba", "reference"])
def test_bfloat16_inputs_give_bfloat16_outputs_with_a_float32_state(backend: str) -> None:
    inputs = scan_inputs(Size(2, 8, 9, 6, 1, 4))
    rounded = [each.bfloat16() for each in inputs]
    expected, expected_grads = run([each.float() for each in rounded], "reference")
    got, grads = run(rounded, backend)
    assert {each.dtype for each in (got, *grads)} == {torch.bfloat16}
    assert_close(got, expected, torch.bfloat16)
    for each, other in zip(grads, expected_grads, strict=True):
        assert_close(each, other, torch.bfloat16)


@pytest.mark.parametrize("backend", ["numba", "reference"])
def test_a_long_scan_in_bfloat16_accumulates_in_float32(backend: str) -> None:
    inputs = [each.bfloat16() for each in scan_inputs(Size(1, 1, 600, 3, 1, 1))]
    inputs[1] -= 4  # small steps: a state that gathers hundreds of small terms
    expected, expected_grads = run([each.float() for each in inputs], "reference")
    got, grads = run(inputs, backend)
    assert_close(got, expected, torch.bfloat16)
    for each, other in zip(grads, expected_grads, strict=True):
        assert_close(each, other, torch.bfloat16)


@pytest.mark.parametrize("backend", ["numba", "reference"])
def test_results_do_not_depend_on_memory_layout(backend: str) -> None:
    inputs = scan_inputs(Size(2, 5, 4, 6, 2, 4))
    strided = [each.mT.contiguous().mT for each in inputs]
    assert not strided[0].is_contiguous()
    assert_close(run(strided, backend)[0], run(inputs, backend)[0])


@pytest.mark.parametrize("backend", ["numba", "reference"])
def test_the_four_directions_are_flips_and_transpositions_of_one(backend: str) -> None:
    size = Size(2, 5, 7, 4, 1, 4)
    u, delta, A, B, C, D, bias = scan_inputs(size)

    def turned(x: Tensor, k: int) -> Tensor:
        x = x.transpose(1, 2) if k % 2 else x
        return x.flip(1, 2) if k >= 2 else x

    total = torch.zeros_like(u)
    for k in range(4):
        one = scan_2d(
            turned(u, k),
            turned(delta[k], k)[None],
            A[k : k + 1],
            turned(B[..., k : k + 1, :], k),
            turned(C[..., k : k + 1, :], k),
            D[k : k + 1],
            bias[k : k + 1],
            backend=backend,
        )
        one = one.flip(1, 2) if k >= 2 else one
        total += one.transpose(1, 2) if k % 2 else one
    assert_close(scan_2d(u, delta, A, B, C, D, bias, backend=backend), total)


@pytest.mark.parametrize("backend", ["numba", "reference"])
@given(length=st.integers(1, 140), channels=st.integers(1, 70), states=st.integers(1, 4))
@settings(max_examples=8, deadline=None)
def test_sequences_follow_the_recurrence(
    backend: str, length: int, channels: int, states: int
) -> None:
    random = np.random.default_rng(length)
    u, step = random.normal(size=(2, 1, channels, length))
    step = 0.2 * np.abs(step)
    A = -random.uniform(0.2, 1.5, (channels, states))
    B, C = random.normal(size=(2, 1, states, length))
    D = random.normal(size=channels)
    h, y = np.zeros((1, channels, states)), np.empty((1, channels, length))
    for t in range(length):
        h = np.exp(step[:, :, t, None] * A) * h
        h += step[:, :, t, None] * B[:, None, :, t] * u[:, :, t, None]
        y[:, :, t] = (h * C[:, None, :, t]).sum(-1) + D * u[:, :, t]
    inputs = [torch.from_numpy(each).float() for each in (u, step, A, B, C, D)]
    assert_close(selective_scan(*inputs, backend=backend), torch.from_numpy(y))


def test_skip_weights_and_bias_are_optional() -> None:
    u, delta, A, B, C, D, bias = scan_inputs(Size(1, 3, 3, 2, 1, 4))
    bare = scan_2d(u, delta, A, B, C)
    assert_close(bare, scan_2d(u, delta, A, B, C, 0 * D, 0 * bias))


def test_numba_refuses_float64_and_the_error_lists_all_backends() -> None:
    inputs = scan_inputs(Size(1, 2, 2, 2, 1, 4), dtype=torch.float64)
    with pytest.raises(BackendError, match=r"numba: ready; .*reference: ready"):
        scan_2d(*inputs, backend="numba")
    assert scan_2d(*inputs).dtype == torch.float64
