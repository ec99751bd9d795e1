"""The selective scan as ONNX nodes is the recurrence, in all sizes."""

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from onnx_graphs import arrays, evaluate
from rma_mamba.models.through_plane import ThroughPlaneScan
from rma_mamba.models.vss import SS2D
from rma_mamba.ops import cross_selective_scan
from rma_mamba.portable.scan_graph import scan_1d, scan_2d

WIDTH = 4
TOLERANCE = 2e-5  # relative to the largest output; float32 sums in another order


def scanned(module: SS2D, u: torch.Tensor) -> torch.Tensor:
    """The scan of SS2D, step by step."""
    gates = torch.nn.functional.linear(u, module.x_proj_weight.flatten(0, 1))
    A = -torch.exp(module.A_logs).view(4, u.shape[-1], module.states)
    return cross_selective_scan(
        u,
        gates.view(*u.shape[:3], 4, -1),
        module.dt_projs_weight,
        A,
        module.Ds.view(4, -1),
        module.dt_projs_bias,
        backend="reference",
    )


def difference(found: np.ndarray, expected: torch.Tensor) -> float:
    """Largest difference, relative to the largest value."""
    values = expected.detach().numpy()
    return float(np.abs(found - values).max() / np.abs(values).max())


@settings(max_examples=12, deadline=None)
@given(
    shape=st.tuples(*[st.integers(1, 3), st.integers(1, 9), st.integers(1, 9)]),
    states=st.integers(1, 2),
)
@example(shape=(1, 16, 6), states=1)  # columns in eight pieces, rows in two
@example(shape=(2, 4, 12), states=2)
@example(shape=(9, 8, 8), states=1)  # too many slices for pieces
def test_a_map_is_scanned_in_four_directions(shape: tuple[int, int, int], states: int) -> None:
    torch.manual_seed(0)
    module = SS2D(WIDTH, states).eval()
    torch.nn.init.uniform_(module.Ds)
    u = torch.randn(*shape, 2 * WIDTH)
    parent = torch.nn.ModuleDict({"op": module})
    found = evaluate(lambda graph, x: scan_2d(graph, x, "op"), u.numpy(), arrays(parent))
    assert difference(found, scanned(module, u)) < TOLERANCE
    assert difference(1.01 * found, scanned(module, u)) > TOLERANCE


@pytest.mark.parametrize("bias", [-12.0, 0.0, 30.0])
def test_long_runs_neither_overflow_nor_lose_their_state(bias: float) -> None:
    """Step sizes from tiny ones, which never forget, to 30, whose decay over a row is exp(-1920)."""
    torch.manual_seed(0)
    module = SS2D(WIDTH).eval()
    torch.nn.init.constant_(module.dt_projs_bias, bias)
    u = torch.randn(1, 40, 64, 2 * WIDTH)
    parent = torch.nn.ModuleDict({"op": module})
    found = evaluate(lambda graph, x: scan_2d(graph, x, "op"), u.numpy(), arrays(parent))
    assert np.isfinite(found).all()
    assert difference(found, scanned(module, u)) < 5 * TOLERANCE


@pytest.mark.parametrize("slices", [1, 2, 7])
def test_slices_are_scanned_upwards_and_downwards(slices: int) -> None:
    torch.manual_seed(0)
    module = ThroughPlaneScan(WIDTH).eval()
    torch.nn.init.uniform_(module.Ds)
    u = torch.randn(slices, 6, WIDTH)
    rows = u.transpose(0, 1)[None]  # [scan, position, slice, channel]
    expected = module._scan(rows, 0) + module._scan(rows.flip(2), 1).flip(2)
    parent = torch.nn.ModuleDict({"op": module})
    found = evaluate(lambda graph, x: scan_1d(graph, x, "op"), u.numpy(), arrays(parent))
    assert difference(found, expected[0].transpose(0, 1)) < TOLERANCE
