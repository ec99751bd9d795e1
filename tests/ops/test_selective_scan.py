"""Every backend computes the equation, forwards and backwards, for any size."""

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from rma_mamba.errors import BackendError, ConfigError
from rma_mamba.ops import cross_selective_scan, scan_2d, selective_scan
from rma_mamba.ops.selective_scan import numba_cpu, numba_kernels
from scan_inputs import Size, assert_close, cross_inputs, scan_inputs, sizes

CONFIGURED = settings(max_examples=25, deadline=None)
NUMBA = numba_cpu.BLOCK


def run(inputs: list[Tensor], backend: str, softplus: bool = True) -> tuple[Tensor, list[Tensor]]:
    """Output, and gradients of a random weighting of it."""
    leaves = [each.clone().requires_grad_() for each in inputs]
    y = scan_2d(*leaves, delta_softplus=softplus, backend=backend)
    weights = torch.randn(y.shape, generator=torch.Generator().manual_seed(9)).bfloat16()
    grads = torch.autograd.grad((y * weights.to(y.dtype)).sum(), leaves)
    return y.detach(), list(grads)


def run_cross(inputs: list[Tensor], backend: str) -> tuple[Tensor, list[Tensor]]:
    """The same of a cross scan."""
    leaves = [each.clone().requires_grad_() for each in inputs]
    y = cross_selective_scan(*leaves, backend=backend)
    weights = torch.randn(y.shape, generator=torch.Generator().manual_seed(9)).bfloat16()
    return y.detach(), list(torch.autograd.grad((y * weights.to(y.dtype)).sum(), leaves))


@given(size=sizes(), seed=st.integers(0, 99), softplus=st.booleans())
@example(size=Size(1, 1, 1, 1, 1, 4), seed=0, softplus=True)
@example(size=Size(2, 1, 129, NUMBA - 1, 1, 4), seed=1, softplus=True)
@example(size=Size(1, 65, 1, NUMBA, 2, 4), seed=2, softplus=True)
@example(size=Size(1, 8, 8, NUMBA + 1, 1, 4), seed=3, softplus=False)
@example(size=Size(1, 7, 9, 2 * NUMBA + 3, 1, 2), seed=4, softplus=True)
@CONFIGURED
def test_numba_computes_the_equation(size: Size, seed: int, softplus: bool) -> None:
    inputs = scan_inputs(size, seed)
    if not softplus:  # step sizes have to be positive then
        inputs[1], inputs[6] = inputs[1].abs() * 0.2, inputs[6].abs() * 0.2
    expected, expected_grads = run(inputs, "reference", softplus)
    got, grads = run(inputs, "numba", softplus)
    assert_close(got, expected)
    for each, other in zip(grads, expected_grads, strict=True):
        assert_close(each, other)


@pytest.mark.parametrize("size", [Size(1, 2, 3, 2, 1, 4), Size(2, 3, 2, 3, 2, 3)])
def test_a_cross_scan_makes_its_step_sizes_of_a_low_rank(size: Size) -> None:
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


@given(size=sizes(), rank=st.integers(1, 5), seed=st.integers(0, 99))
@example(size=Size(2, 1, 9, NUMBA - 1, 1, 4), rank=3, seed=1)
@example(size=Size(1, 3, 4, 192, 2, 4), rank=6, seed=2)
@example(size=Size(1, 4, 4, 4, 1, 4), rank=numba_cpu.MAX_RANK, seed=3)
@example(size=Size(2, 4, 4, 4, 2, 4), rank=numba_cpu.MAX_RANK + 1, seed=4)
@CONFIGURED
def test_numba_computes_the_cross_scan(size: Size, rank: int, seed: int) -> None:
    inputs = cross_inputs(size, rank, seed)
    expected, expected_grads = run_cross(inputs, "reference")
    got, grads = run_cross(inputs, "numba")
    assert_close(got, expected)
    for each, other in zip(grads, expected_grads, strict=True):
        assert_close(each, other)


@pytest.mark.parametrize("rank", [3, numba_cpu.MAX_RANK + 1])
@pytest.mark.parametrize("backend", ["numba", "reference"])
def test_a_cross_scan_in_bfloat16_keeps_the_types_of_its_inputs(backend: str, rank: int) -> None:
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


@pytest.mark.parametrize("batch", [1, 2, 3])
@pytest.mark.parametrize("channels", [1, 31, 64, 96, 100, 192, 384, 1536])
def test_blocks_of_channels_cover_all_and_share_evenly(channels: int, batch: int) -> None:
    block = numba_cpu._block(channels, batch)
    assert 1 <= block <= numba_cpu.LARGEST_BLOCK
    if batch * channels % (2 * numba_cpu.LANES) == 0:
        assert channels % block == 0
        assert batch * channels // block % 2 == 0


def test_the_comparison_can_fail() -> None:
    expected, _ = run(scan_inputs(Size(1, 4, 4, 3, 1, 4)), "reference")
    with pytest.raises(AssertionError):
        assert_close(1.001 * expected, expected)
    with pytest.raises(AssertionError):
        assert_close(torch.full_like(expected, torch.nan), expected)


@pytest.mark.parametrize("segment", [1, 7, 64])
def test_the_backward_pass_is_the_same_however_its_steps_are_cut(
    monkeypatch: pytest.MonkeyPatch, segment: int
) -> None:
    inputs = scan_inputs(Size(2, 9, 15, 5, 2, 4))
    _, whole = run(inputs, "numba")
    monkeypatch.setattr(numba_cpu, "SEGMENT", segment)
    _, cut = run(inputs, "numba")
    for each, other in zip(cut, whole, strict=True):
        assert_close(each, other)


def test_the_number_of_threads_does_not_change_a_bit() -> None:
    inputs = scan_inputs(Size(3, 6, 5, NUMBA + 9, 1, 4))
    threads = torch.get_num_threads()
    results = []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            results.append(run(inputs, "numba"))
    finally:
        torch.set_num_threads(threads)
    (one, one_grads), (two, two_grads) = results
    assert torch.equal(one, two)
    assert all(torch.equal(a, b) for a, b in zip(one_grads, two_grads, strict=True))


@pytest.mark.parametrize("size", [Size(1, 1, 1, 1, 1, 1), Size(2, 2, 3, 2, 2, 4)])
@pytest.mark.parametrize("softplus", [True, False])
def test_the_references_gradients_are_those_of_its_differences(size: Size, softplus: bool) -> None:
    inputs = [each.requires_grad_() for each in scan_inputs(size, dtype=torch.float64)]
    assert torch.autograd.gradcheck(
        lambda *args: scan_2d(*args, delta_softplus=softplus, backend="reference"), inputs
    )


@pytest.mark.parametrize("backend", ["numba", "reference"])
def test_bfloat16_comes_in_and_goes_out_with_a_float32_state(backend: str) -> None:
    inputs = scan_inputs(Size(2, 8, 9, 6, 1, 4))
    rounded = [each.bfloat16() for each in inputs]
    expected, expected_grads = run([each.float() for each in rounded], "reference")
    got, grads = run(rounded, backend)
    assert {each.dtype for each in (got, *grads)} == {torch.bfloat16}
    assert_close(got, expected, torch.bfloat16)
    for each, other in zip(grads, expected_grads, strict=True):
        assert_close(each, other, torch.bfloat16)


@pytest.mark.parametrize("backend", ["numba", "reference"])
def test_a_long_walk_in_bfloat16_loses_nothing_on_the_way(backend: str) -> None:
    inputs = [each.bfloat16() for each in scan_inputs(Size(1, 1, 600, 3, 1, 1))]
    inputs[1] -= 4  # small steps: a state that gathers hundreds of small terms
    expected, expected_grads = run([each.float() for each in inputs], "reference")
    got, grads = run(inputs, backend)
    assert_close(got, expected, torch.bfloat16)
    for each, other in zip(grads, expected_grads, strict=True):
        assert_close(each, other, torch.bfloat16)


@pytest.mark.parametrize("shift", [-4.0, -10.0, -17.0, -30.0])
def test_the_smallest_steps_have_gradients_too(shift: float) -> None:
    inputs = scan_inputs(Size(1, 4, 5, 6, 1, 4))
    inputs[1] += shift
    _, expected = run(inputs, "reference")
    _, grads = run(inputs, "numba")
    for each, other in zip(grads, expected, strict=True):  # relative, however small they are
        assert_close(each / other.abs().max(), other / other.abs().max())


@pytest.mark.parametrize("backend", ["numba", "reference"])
def test_the_layout_in_memory_does_not_matter(backend: str) -> None:
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


def test_skip_and_bias_can_be_left_out() -> None:
    u, delta, A, B, C, D, bias = scan_inputs(Size(1, 3, 3, 2, 1, 4))
    bare = scan_2d(u, delta, A, B, C)
    assert_close(bare, scan_2d(u, delta, A, B, C, 0 * D, 0 * bias))


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("backend", ["numba", "reference"])
def test_the_operators_are_ones_that_torch_can_compile(backend: str, keep: bool) -> None:
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
def test_gradients_have_the_layout_that_compiled_graphs_count_on(backend: str) -> None:
    cross = [each.requires_grad_() for each in cross_inputs(Size(1, 3, 4, 5, 3, 4), 2)]
    grads = torch.autograd.grad(cross_selective_scan(*cross, backend=backend).sum(), cross)
    assert [each.stride() for each in grads] == [each.contiguous().stride() for each in grads]


def test_a_wrong_shape_is_named() -> None:
    u, delta, A, B, C, D, bias = scan_inputs(Size(1, 3, 4, 5, 1, 4))
    with pytest.raises(
        ConfigError, match=r"B has shape \(1, 3, 4, 3, 1\); expected \(1, 3, 4, 4, 1\)"
    ):
        scan_2d(u, delta, A, B[..., :3, :], C, D, bias)
    gates, weight = torch.zeros(1, 3, 4, 4, 5), torch.zeros(4, 5, 3)
    assert cross_selective_scan(u, gates, weight, A, D, bias).shape == u.shape
    with pytest.raises(ConfigError, match=r"gates has shape \(1, 3, 4, 4, 4\); expected"):
        cross_selective_scan(u, gates[..., 1:], weight, A, D, bias)
    with pytest.raises(ConfigError, match="delta_weight has shape"):
        cross_selective_scan(u, gates, weight[:3], A, D, bias)
    with pytest.raises(ConfigError, match="no empty dimension"):
        scan_2d(u[:0], delta[:, :0], A, B[:0], C[:0], D, bias)
    with pytest.raises(ConfigError, match="no empty dimension"):
        scan_2d(u, delta, A[..., :0], B[..., :0], C[..., :0], D, bias)
    with pytest.raises(ConfigError, match=r"u has dtype torch\.int64; expected floating point"):
        scan_2d(u.long(), delta, A, B, C, D, bias)
    with pytest.raises(ConfigError, match="expected three each"):
        selective_scan(u, delta, A, B, C)


def test_without_a_place_for_compiled_code_it_is_compiled_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = numba_kernels.nb.njit

    def njit(cache: bool = False, **options: object) -> object:
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return made(**options)

    monkeypatch.setattr(numba_kernels.nb, "njit", njit)
    assert numba_kernels._kernel(lambda x: x + 1)(2) == 3


def test_numba_refuses_double_precision_and_says_what_there_is() -> None:
    inputs = scan_inputs(Size(1, 2, 2, 2, 1, 4), dtype=torch.float64)
    with pytest.raises(BackendError, match=r"numba: ready; .*reference: ready"):
        scan_2d(*inputs, backend="numba")
    assert scan_2d(*inputs).dtype == torch.float64


def test_on_the_meta_device_only_shapes_are_computed() -> None:
    inputs = [each.to("meta") for each in cross_inputs(Size(1, 512, 512, 64, 1, 4), 2)]
    assert cross_selective_scan(*inputs).shape == (1, 512, 512, 64)
    assert scan_2d(*[each.to("meta") for each in scan_inputs(Size(1, 5, 6, 7, 1, 4))]).is_meta
