"""The parts of VMamba v0 agree with their equations."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from rma_mamba.models.baselines.vss_v0 import (
    STATES,
    GatedSS2D,
    PatchExpand,
    PatchMerging,
    VSSBlock,
    VSSEncoder,
    linear_drop_paths,
)
from rma_mamba.ops import selective_scan
from rma_mamba.ops.selective_scan.reference import scan_order

SEED = 0
# A, D and the bias of the step sizes are float32 inside, as everywhere; else float64
TOLERANCE = {"atol": 1e-6, "rtol": 1e-5}


def direct(module: GatedSS2D, x: Tensor) -> Tensor:
    """SS2D v0 as in the paper: four reordered copies of the feature map, each projected and scanned separately."""
    batch, height, width, _ = x.shape
    u, gate = module.in_proj(x).chunk(2, dim=-1)
    u = functional.silu(module.conv2d(u.permute(0, 3, 1, 2))).flatten(2)
    inner = u.shape[1]
    total = torch.zeros_like(u)
    for k in range(4):
        order = scan_order(k, height, width)
        sequence = u[..., order]
        projected = module.x_proj_weight[k] @ sequence
        steps, B, C = projected.split([module.rank, STATES, STATES], dim=1)
        own = slice(k * inner, (k + 1) * inner)
        y = selective_scan(
            sequence,
            module.dt_projs_weight[k] @ steps,
            -module.A_logs[own].exp(),
            B,
            C,
            module.Ds[own],
            module.dt_projs_bias[k],
            delta_softplus=True,
            backend="reference",
        )
        total[..., order] += y
    y = module.out_norm(total.mT.reshape(batch, height, width, inner))
    out: Tensor = module.out_proj(y * functional.silu(gate))
    return out


@torch.no_grad()
def scrambled(module: torch.nn.Module) -> torch.nn.Module:
    """Make all directions, channels and states different."""
    for parameter in module.parameters():
        parameter.add_(0.2 * torch.randn_like(parameter))
    return module


@pytest.mark.parametrize("backend", ["reference", "numba"])
@settings(max_examples=8, deadline=None)
@given(
    batch=st.integers(1, 2),
    height=st.integers(1, 5),
    width=st.integers(1, 5),
    channels=st.integers(1, 20),
)
def test_the_gated_scan_is_that_of_the_paper(
    backend: str, batch: int, height: int, width: int, channels: int
) -> None:
    torch.manual_seed(SEED)
    module = scrambled(GatedSS2D(channels)).double()
    x = torch.randn(batch, height, width, channels, dtype=torch.float64)
    with pytest.MonkeyPatch.context() as patch, torch.no_grad():
        patch.setenv("RMA_MAMBA_BACKEND", backend)
        module, x = (module, x) if backend == "reference" else (module.float(), x.float())
        got, expected = module(x), direct(module.double(), x.double())
    tolerance = TOLERANCE if backend == "reference" else {"atol": 2e-4, "rtol": 1e-3}
    torch.testing.assert_close(got.double(), expected, **tolerance)
    with pytest.raises(AssertionError):
        torch.testing.assert_close(1.01 * got.double() + 0.01, expected, **tolerance)


def test_a_block_without_its_scan_changes_nothing() -> None:
    block = VSSBlock(8, drop_path=0.0)
    torch.nn.init.zeros_(block.self_attention.out_proj.weight)
    x = torch.rand(2, 3, 4, 8)
    assert torch.equal(block(x), x)  # there is no MLP after it
    assert not any("mlp" in name for name, _ in block.named_parameters())


def test_merging_concatenates_the_positions_of_a_patch_column_by_column() -> None:
    merging = PatchMerging(1).eval()
    seen = []
    merging.norm.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    merging(torch.arange(8.0).view(1, 2, 4, 1))  # rows 0 1 2 3 and 4 5 6 7
    assert seen[0].tolist() == [[[[0, 4, 1, 5], [2, 6, 3, 7]]]]


def test_expanding_arranges_a_vector_row_by_row() -> None:
    expand = PatchExpand(4, 1)
    expand.norm = torch.nn.Identity()
    torch.nn.init.eye_(expand.expand.weight)
    x = torch.arange(8.0).view(1, 1, 2, 4)
    assert expand(x)[..., 0].tolist() == [[[0, 1, 4, 5], [2, 3, 6, 7]]]


def test_the_encoder_returns_the_inputs_of_its_stages_and_the_deepest_map() -> None:
    encoder = VSSEncoder(8, (1, 1, 1, 1), 0.0)
    deepest, given_ = encoder(torch.rand(1, 3, 64, 96))
    assert [tuple(each.shape) for each in given_] == [
        (1, 16, 24, 8), (1, 8, 12, 16), (1, 4, 6, 32), (1, 2, 3, 64)
    ]  # fmt: skip
    assert torch.equal(deepest, encoder.layers[3](given_[3]))


def test_stochastic_depth_increases_from_block_to_block() -> None:
    assert linear_drop_paths(0.3, (1, 2, 1)) == [
        [0.0],
        [pytest.approx(0.1), pytest.approx(0.2)],
        [pytest.approx(0.3)],
    ]
