"""Mamba agrees with its recurrence."""

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from rma_mamba.models.baselines.mamba import STATES, Mamba

SEED = 0


def direct(module: Mamba, x: Tensor) -> Tensor:
    """Figure 3 and algorithm 2 of the paper, position by position."""
    u, gate = module.in_proj(x).chunk(2, dim=-1)
    weight, A = module.conv1d.weight[:, 0], -module.A_log.exp()
    h = torch.zeros(x.shape[0], *A.shape, dtype=x.dtype)
    out = []
    for t in range(x.shape[1]):
        past = [u[:, t - back] * weight[:, -1 - back] for back in range(min(4, t + 1))]
        now = functional.silu(sum(past, module.conv1d.bias))
        steps, B, C = module.x_proj(now).split([module.rank, STATES, STATES], dim=-1)
        delta = functional.softplus(module.dt_proj(steps))
        h = torch.exp(delta[..., None] * A) * h + (delta * now)[..., None] * B[:, None]
        y = (h * C[:, None]).sum(-1) + module.D * now
        out.append(module.out_proj(y * functional.silu(gate[:, t])))
    return torch.stack(out, dim=1)


@settings(max_examples=8, deadline=None)
@given(batch=st.integers(1, 3), length=st.integers(1, 9), channels=st.integers(1, 20))
@torch.no_grad()
def test_the_sequence_is_scanned_as_in_the_paper(batch: int, length: int, channels: int) -> None:
    torch.manual_seed(SEED)
    module = Mamba(channels)
    for parameter in module.parameters():
        parameter.add_(0.2 * torch.randn_like(parameter))
    x = torch.randn(batch, length, channels)
    got, expected = module(x), direct(module.double(), x.double())
    torch.testing.assert_close(got.double(), expected, atol=1e-4, rtol=1e-3)


@torch.no_grad()
def test_the_scan_is_causal() -> None:
    module, x = Mamba(8), torch.randn(1, 12, 8)
    changed = x.clone()
    changed[:, 7:] += 1
    torch.testing.assert_close(module(changed)[:, :7], module(x)[:, :7])
    assert not torch.allclose(module(changed)[:, 7], module(x)[:, 7])


def test_step_sizes_are_initialised_between_a_thousandth_and_a_tenth() -> None:
    steps = functional.softplus(Mamba(64).dt_proj.bias)
    assert 0.9e-3 < steps.min() < steps.max() < 0.101
    assert Mamba(64).dt_proj.weight.abs().max() <= 1 / math.sqrt(4)
