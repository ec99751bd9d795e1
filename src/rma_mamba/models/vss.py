"""The visual state-space block of VMamba (arXiv:2401.10166), on maps [slice, height, width, channel].

| name | meaning | in VMamba's weights |
|---|---|---|
| rank | rank of the step sizes before their projection | R, dt_rank |
| states | state size per channel | N, d_state |
| inner | channels of the scan, twice the width of the block | D, d_inner |
"""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from rma_mamba.models.layers import DropPath
from rma_mamba.ops import cross_selective_scan

DIRECTIONS: Final = 4
_STEP_RANGE = (1e-3, 0.1)  # of softplus(bias) at initialisation, log-uniform
_STEP_FLOOR = 1e-4


@torch.no_grad()
def init_step_sizes(weight: Tensor, bias: Tensor) -> None:
    """Initialise a projection to step sizes as Mamba does: weight [..., channel, rank], bias [..., channel]."""
    weight.uniform_(-1, 1).div_(math.sqrt(weight.shape[-1]))
    low, high = (math.log(step) for step in _STEP_RANGE)
    steps = bias.uniform_(low, high).exp_().clamp_(min=_STEP_FLOOR)
    steps.add_(torch.log(-torch.expm1(-steps)))  # inverse of softplus


@torch.no_grad()
def init_scan(projection: Tensor, steps: Tensor, steps_bias: Tensor, A_logs: Tensor) -> None:
    """Initialise the parameters of a selective scan as Mamba does.

    Args:
        projection: To step sizes and gates, [direction, rank + 2 * states, channel].
        steps: From low-rank to full step sizes, [direction, channel, rank].
        steps_bias: Bias of the step sizes, [direction, channel].
        A_logs: Logarithms of the negative decay rates, [..., states].
    """
    projection.uniform_(-1, 1).div_(math.sqrt(projection.shape[-1]))
    init_step_sizes(steps, steps_bias)
    A_logs.copy_(torch.arange(1, A_logs.shape[-1] + 1).log())


class SS2D(nn.Module):
    """Selective scan of a feature map along rows and columns, in both directions (section 4.2)."""

    def __init__(self, width: int, states: int = 1, expansion: int = 2) -> None:
        super().__init__()
        inner, rank = expansion * width, math.ceil(width / 16)
        self.states, self.rank = states, rank
        self.in_proj = nn.Linear(width, inner, bias=False)
        self.conv2d = nn.Conv2d(inner, inner, 3, padding=1, groups=inner, bias=False)
        self.x_proj_weight = nn.Parameter(torch.empty(DIRECTIONS, rank + 2 * states, inner))
        self.dt_projs_weight = nn.Parameter(torch.empty(DIRECTIONS, inner, rank))
        self.dt_projs_bias = nn.Parameter(torch.empty(DIRECTIONS, inner))
        self.A_logs = nn.Parameter(torch.empty(DIRECTIONS * inner, states))
        self.Ds = nn.Parameter(torch.ones(DIRECTIONS * inner))
        self.out_norm = nn.LayerNorm(inner)
        self.out_proj = nn.Linear(inner, width, bias=False)
        init_scan(self.x_proj_weight, self.dt_projs_weight, self.dt_projs_bias, self.A_logs)

    def forward(self, x: Tensor) -> Tensor:
        """[slice, height, width, channel] to the same shape."""
        u = self.conv2d(self.in_proj(x).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        u = functional.silu(u).contiguous()
        out: Tensor = self.out_proj(self.out_norm(self._scan(u)))
        return out

    def _scan(self, u: Tensor) -> Tensor:
        # The projections are pointwise. Computed before the scan, they need no reordered copies of the feature map, and
        # the four directions share one matrix product.
        gates = functional.linear(u, self.x_proj_weight.flatten(0, 1))
        gates = gates.view(*u.shape[:3], DIRECTIONS, self.rank + 2 * self.states)
        A = -torch.exp(self.A_logs.float()).view(DIRECTIONS, u.shape[-1], self.states)
        D = self.Ds.float().view(DIRECTIONS, -1)
        return cross_selective_scan(
            u, gates, self.dt_projs_weight, A, D, self.dt_projs_bias.float()
        )


class MLP(nn.Module):
    """Two linear layers with four times the channels in between."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """[..., channel] to the same shape."""
        out: Tensor = self.fc2(functional.gelu(self.fc1(x)))
        return out


class VSSBlock(nn.Module):
    """x + SS2D(norm(x)), then x + MLP(norm(x)), with stochastic depth.

    With `gradient_checkpointing`, activations inside the block are recomputed in the backward pass.
    """

    gradient_checkpointing = False

    def __init__(self, width: int, drop_path: float, states: int = 1, expansion: int = 2) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.op = SS2D(width, states, expansion)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = MLP(width)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """[slice, height, width, channel] to the same shape."""
        if self.gradient_checkpointing and torch.is_grad_enabled():
            out: Tensor = checkpoint(self._forward, x, use_reentrant=False)
            return out
        return self._forward(x)

    def _forward(self, x: Tensor) -> Tensor:
        x = x + self.drop_path(self.op(self.norm(x)))
        out: Tensor = x + self.drop_path(self.mlp(self.norm2(x)))
        return out
