"""The CPU backend agrees with the reference for any size, forward and backward."""

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rma_mamba.ops.selective_scan import numba_cpu
from scan_inputs import Size, assert_close, cross_inputs, scan_inputs, sizes
from scan_runs import run, run_cross
from torch_threads import torch_threads

CONFIGURED = settings(max_examples=25, deadline=None)
NUMBA = numba_cpu.BLOCK


@given(size=sizes(), seed=st.integers(0, 99), softplus=st.booleans())
@example(size=Size(1, 1, 1, 1, 1, 4), seed=0, softplus=True)
@example(size=Size(2, 1, 129, NUMBA - 1, 1, 4), seed=1, softplus=True)
@example(size=Size(1, 65, 1, NUMBA, 2, 4), seed=2, softplus=True)
@example(size=Size(1, 8, 8, NUMBA + 1, 1, 4), seed=3, softplus=False)
@example(size=Size(1, 7, 9, 2 * NUMBA + 3, 1, 2), seed=4, softplus=True)
@CONFIGURED
def test_numba_agrees_with_the_reference(size: Size, seed: int, softplus: bool) -> None:
    inputs = scan_inputs(size, seed)
    if not softplus:  # step sizes have to be positive then
        inputs[1], inputs[6] = inputs[1].abs() * 0.2, inputs[6].abs() * 0.2
    expected, expected_grads = run(inputs, "reference", softplus)
    got, grads = run(inputs, "numba", softplus)
    assert_close(got, expected)
    for each, other in zip(grads, expected_grads, strict=True):
        assert_close(each, other)


@given(size=sizes(), rank=st.integers(1, 5), seed=st.integers(0, 99))
@example(size=Size(2, 1, 9, NUMBA - 1, 1, 4), rank=3, seed=1)
@example(size=Size(1, 3, 4, 192, 2, 4), rank=6, seed=2)
@example(size=Size(1, 4, 4, 4, 1, 4), rank=numba_cpu.MAX_RANK, seed=3)
@example(size=Size(2, 4, 4, 4, 2, 4), rank=numba_cpu.MAX_RANK + 1, seed=4)
@CONFIGURED
def test_numba_agrees_with_the_reference_on_cross_scans(size: Size, rank: int, seed: int) -> None:
    inputs = cross_inputs(size, rank, seed)
    expected, expected_grads = run_cross(inputs, "reference")
    got, grads = run_cross(inputs, "numba")
    assert_close(got, expected)
    for each, other in zip(grads, expected_grads, strict=True):
        assert_close(each, other)


@pytest.mark.parametrize("batch", [1, 2, 3])
@pytest.mark.parametrize("channels", [1, 31, 64, 96, 100, 192, 384, 1536])
def test_blocks_cover_all_channels_and_make_an_even_number_of_tasks(
    channels: int, batch: int
) -> None:
    block = numba_cpu._block(channels, batch)
    assert 1 <= block <= numba_cpu.LARGEST_BLOCK
    if batch * channels % (2 * numba_cpu.WIDTH) == 0:
        assert channels % block == 0
        assert batch * channels // block % 2 == 0


def test_the_comparison_can_fail() -> None:
    expected, _ = run(scan_inputs(Size(1, 4, 4, 3, 1, 4)), "reference")
    with pytest.raises(AssertionError):
        assert_close(1.001 * expected, expected)
    with pytest.raises(AssertionError):
        assert_close(torch.full_like(expected, torch.nan), expected)


@pytest.mark.parametrize("segment", [1, 7, 64])
def test_gradients_do_not_depend_on_the_length_of_segments(
    monkeypatch: pytest.MonkeyPatch, segment: int
) -> None:
    inputs = scan_inputs(Size(2, 9, 15, 5, 2, 4))
    _, whole = run(inputs, "numba")
    monkeypatch.setattr(numba_cpu, "SEGMENT", segment)
    _, cut = run(inputs, "numba")
    for each, other in zip(cut, whole, strict=True):
        assert_close(each, other)


def test_results_are_bit_identical_for_any_number_of_threads() -> None:
    inputs = scan_inputs(Size(3, 6, 5, NUMBA + 9, 1, 4))
    results = []
    for count in (1, 2):
        with torch_threads(count):
            results.append(run(inputs, "numba"))
    (one, one_grads), (two, two_grads) = results
    assert torch.equal(one, two)
    assert all(torch.equal(a, b) for a, b in zip(one_grads, two_grads, strict=True))


@pytest.mark.parametrize("shift", [-4.0, -10.0, -17.0, -30.0])
def test_gradients_of_tiny_step_sizes_are_accurate(shift: float) -> None:
    inputs = scan_inputs(Size(1, 4, 5, 6, 1, 4))
    inputs[1] += shift
    _, expected = run(inputs, "reference")
    _, grads = run(inputs, "numba")
    for each, other in zip(grads, expected, strict=True):  # relative, however small they are
        assert_close(each / other.abs().max(), other / other.abs().max())
