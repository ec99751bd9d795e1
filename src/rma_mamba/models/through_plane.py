"""Through-plane context: selective scans along the slices of a scan.

RMA-Mamba works slice by slice, which its authors name as its limitation (arXiv:2502.18232). These blocks pass
information from slice to slice at the coarse levels of encoder and decoder. They are zero-initialised, so that a
network with trained weights starts as it was, and are skipped for single slices, whose result is therefore the same as
without them.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from rma_mamba.models.vss import init_scan
from rma_mamba.ops import cross_selective_scan

_WAYS = 2  # upwards and downwards


class ThroughPlaneScan(nn.Module):
    """Selective scan along z at each in-plane position, upwards and downwards.

    Args:
        width: Channels of the feature map.
        states: State size per channel.
    """

    def __init__(self, width: int, states: int = 1) -> None:
        super().__init__()
        self.states, self.rank = states, math.ceil(width / 16)
        self.in_proj = nn.Linear(width, width, bias=False)
        self.conv = nn.Conv2d(width, width, (3, 1), padding=(1, 0), groups=width, bias=False)
        self.x_proj_weight = nn.Parameter(torch.empty(_WAYS, self.rank + 2 * states, width))
        self.dt_projs_weight = nn.Parameter(torch.empty(_WAYS, width, self.rank))
        self.dt_projs_bias = nn.Parameter(torch.empty(_WAYS, width))
        self.A_logs = nn.Parameter(torch.empty(_WAYS, width, states))
        self.Ds = nn.Parameter(torch.ones(_WAYS, width))
        self.out_norm = nn.LayerNorm(width)
        self.out_proj = nn.Linear(width, width, bias=False)
        init_scan(self.x_proj_weight, self.dt_projs_weight, self.dt_projs_bias, self.A_logs)

    def forward(self, x: Tensor) -> Tensor:
        """[scan, slice, position, channel] to the same shape."""
        u = self.conv(self.in_proj(x).permute(0, 3, 1, 2)).permute(0, 3, 2, 1)
        u = functional.silu(u).contiguous()  # [scan, position, slice, channel]: a row per position
        upwards, downwards = self._scan(u, 0), self._scan(u.flip(2), 1).flip(2)
        out: Tensor = self.out_proj(self.out_norm(upwards + downwards))
        return out.transpose(1, 2)

    def _scan(self, u: Tensor, way: int) -> Tensor:
        scans, positions, slices, channels = u.shape
        rows = u.reshape(scans * positions, 1, slices, channels)
        one = slice(way, way + 1)
        gates = functional.linear(rows, self.x_proj_weight[way])[..., None, :]
        y = cross_selective_scan(
            rows,
            gates,
            self.dt_projs_weight[one],
            -torch.exp(self.A_logs[one].float()),
            self.Ds[one].float(),
            self.dt_projs_bias[one].float(),
        )
        out: Tensor = y.view(u.shape)
        return out


class ThroughPlaneBlock(nn.Module):
    """x + ThroughPlaneScan(norm(x)), zero-initialised; single slices are returned unchanged."""

    def __init__(self, width: int, states: int = 1) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.op = ThroughPlaneScan(width, states)
        self.reset()

    def reset(self) -> None:
        """Zero-initialise the block; called again after a network initialises all its linear layers."""
        nn.init.zeros_(self.op.out_proj.weight)

    def forward(self, x: Tensor, slices: int) -> Tensor:
        """[scan * slice, height, width, channel], with this number of slices per scan, to the same shape."""
        if slices == 1:
            return x
        stacked = x.reshape(-1, slices, x.shape[1] * x.shape[2], x.shape[3])
        out: Tensor = x + self.op(self.norm(stacked)).reshape(x.shape)
        return out


class ThroughPlaneBlocks(nn.Module):
    """A sequence of `count` through-plane blocks; none is an identity."""

    def __init__(self, count: int, width: int, states: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(ThroughPlaneBlock(width, states) for _ in range(count))

    def forward(self, x: Tensor, slices: int) -> Tensor:
        """As in `ThroughPlaneBlock`."""
        for block in self.blocks:
            x = block(x, slices)
        return x
