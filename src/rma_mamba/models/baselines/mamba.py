"""Mamba (arXiv:2312.00752, figure 3): a gated selective scan over a sequence.

Parameters are named as in the authors' code.
"""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from rma_mamba.models.vss import init_step_sizes
from rma_mamba.ops import selective_scan

STATES: Final = 16
_TAPS: Final = 4  # of the causal convolution


class Mamba(nn.Module):
    """Mamba block: twice the channels inside, 16 states, step sizes of rank width / 16."""

    def __init__(self, width: int) -> None:
        super().__init__()
        inner, self.rank = 2 * width, math.ceil(width / 16)
        self.in_proj = nn.Linear(width, 2 * inner, bias=False)
        self.conv1d = nn.Conv1d(inner, inner, _TAPS, padding=_TAPS - 1, groups=inner)
        self.x_proj = nn.Linear(inner, self.rank + 2 * STATES, bias=False)
        self.dt_proj = nn.Linear(self.rank, inner)
        self.A_log = nn.Parameter(torch.arange(1, STATES + 1).log().repeat(inner, 1))
        self.D = nn.Parameter(torch.ones(inner))
        self.out_proj = nn.Linear(inner, width, bias=False)
        init_step_sizes(self.dt_proj.weight, self.dt_proj.bias)

    def forward(self, x: Tensor) -> Tensor:
        """[sequence, position, channel] to the same shape."""
        u, gate = self.in_proj(x).chunk(2, dim=-1)
        u = functional.silu(self.conv1d(u.mT)[..., : x.shape[1]]).mT
        steps, B, C = self.x_proj(u).split([self.rank, STATES, STATES], dim=-1)
        delta = functional.linear(steps, self.dt_proj.weight)
        y = selective_scan(
            u.mT,
            delta.mT,
            -torch.exp(self.A_log.float()),
            B.mT,
            C.mT,
            self.D.float(),
            self.dt_proj.bias.float(),
            delta_softplus=True,
        ).mT
        out: Tensor = self.out_proj(y * functional.silu(gate))
        return out
