"""Other implementations, timed if they are installed. None is required, and none of their code is included."""

from __future__ import annotations

import importlib
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

Scan = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]


def in_scan_order(u: Tensor) -> Tensor:
    """(batch, height, width, channel) to (batch, 4, channel, length): one copy per direction."""
    rows, columns = u.flatten(1, 2), u.transpose(1, 2).flatten(1, 2)
    return torch.stack([rows, columns, rows.flip(1), columns.flip(1)], 1).mT


def from_scan_order(y: Tensor, height: int, width: int) -> Tensor:
    """(batch, 4, channel, length) to (batch, height, width, channel), the sum of the four directions."""
    rows = (y[:, 0] + y[:, 2].flip(-1)).mT.unflatten(1, (height, width))
    columns = (y[:, 1] + y[:, 3].flip(-1)).mT.unflatten(1, (width, height))
    return rows + columns.transpose(1, 2)


def _sequences(
    u: Tensor, gates: Tensor, weight: Tensor, A: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """u, delta, B and C in scan order, for scans of sequences."""
    rank, states = weight.shape[2], A.shape[2]
    low, B, C = torch.split(gates, [rank, states, states], -1)
    maps = [in_scan_order(each.flatten(3)) for each in (low, B, C)]
    own = []  # the gates of direction k, in the scan order of direction k
    for each, size in zip(maps, (rank, states, states), strict=True):
        own.append(torch.stack([each[:, k, k * size : (k + 1) * size] for k in range(4)], 1))
    delta = torch.einsum("bkrl,kcr->bkcl", own[0], weight.to(own[0].dtype))
    return in_scan_order(u), delta, own[1], own[2]


def loop(u: Tensor, gates: Tensor, weight: Tensor, A: Tensor, D: Tensor, bias: Tensor) -> Tensor:
    """A loop over the steps of four sequences: the usual fallback on a CPU."""
    x, delta, B, C = _sequences(u, gates, weight, A)
    delta = functional.softplus(delta + bias[:, :, None])
    gain = torch.exp(delta[..., None] * A[:, :, None])
    inflow = (delta * x)[..., None] * B.mT[:, :, None]
    h, y = torch.zeros_like(gain[:, :, :, 0]), []
    for t in range(x.shape[-1]):
        h = gain[:, :, :, t] * h + inflow[:, :, :, t]
        y.append((h * C[:, :, None, :, t]).sum(-1))
    out = torch.stack(y, -1) + D[:, :, None] * x
    return from_scan_order(out, *u.shape[1:3])


def _extension(forward: Callable[..., Tensor]) -> Scan:
    """Use a scan of sequences with 4 x channels in four groups as a scan of feature maps."""

    def scan(
        u: Tensor, gates: Tensor, weight: Tensor, A: Tensor, D: Tensor, bias: Tensor
    ) -> Tensor:
        x, delta, B, C = _sequences(u, gates, weight, A)
        y = forward(
            x.flatten(1, 2).contiguous(), delta.flatten(1, 2).contiguous(), A.flatten(0, 1),
            B.contiguous(), C.contiguous(), D.flatten(), bias.flatten(),
        )  # fmt: skip
        return from_scan_order(y.unflatten(1, (4, -1)), *u.shape[1:3])

    return scan


def installed_extensions() -> dict[str, Scan]:
    """The CUDA extensions of mamba-ssm and VMamba that are installed."""
    found: dict[str, Scan] = {}
    try:
        interface = importlib.import_module("mamba_ssm.ops.selective_scan_interface")
        found["mamba-ssm"] = _extension(
            lambda u, delta, A, B, C, D, bias: interface.selective_scan_fn(
                u, delta, A, B, C, D, delta_bias=bias, delta_softplus=True
            )
        )
    except ImportError:
        pass
    try:
        oflex = importlib.import_module("selective_scan_cuda_oflex")
        found["VMamba oflex"] = _extension(lambda *inputs: _Oflex.apply(oflex, *inputs))
    except ImportError:
        pass
    return found


class _Oflex(torch.autograd.Function):
    """Autograd for VMamba's extension, which only has a forward and a backward function."""

    @staticmethod
    def forward(ctx, extension, u, delta, A, B, C, D, bias):  # type: ignore[no-untyped-def]
        out, x, *_ = extension.fwd(u, delta, A, B, C, D, bias, True, 1, True)
        ctx.save_for_backward(u, delta, A, B, C, D, bias, x)
        ctx.extension = extension
        return out

    @staticmethod
    def backward(ctx, grad):  # type: ignore[no-untyped-def]
        u, delta, A, B, C, D, bias, x = ctx.saved_tensors
        grads = ctx.extension.bwd(u, delta, A, B, C, D, bias, grad.contiguous(), x, True, 1)
        return (None, *grads[:7])
