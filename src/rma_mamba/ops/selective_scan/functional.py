"""The public scan functions: they check the arguments, choose a backend, and run it."""

from __future__ import annotations

import torch
from torch import Tensor

from rma_mamba.errors import ConfigError
from rma_mamba.ops.backends import choose_backend
from rma_mamba.ops.selective_scan import custom_ops
from rma_mamba.ops.selective_scan.arguments import CrossScanArgs, ScanArgs
from rma_mamba.ops.selective_scan.backend import load_backend


def scan_2d(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None = None,
    delta_bias: Tensor | None = None,
    *,
    delta_softplus: bool = True,
    backend: str | None = None,
) -> Tensor:
    """Scan a channels-last feature map in one to four directions and sum the results (SS2D, arXiv:2401.10166).

    Direction 0 scans along rows and direction 1 along columns; directions 2 and 3 are their reverses.

    Args:
        u: Input (batch, height, width, channel).
        delta: Step sizes (direction, batch, height, width, channel); any real numbers with softplus.
        A: Decay rates (direction, channel, state).
        B: Input gates (batch, height, width, direction, state).
        C: Output gates, shaped like B.
        D: Skip weights (direction, channel), or None for no skip connection.
        delta_bias: Added to delta (direction, channel), or None.
        delta_softplus: Apply softplus to delta + bias.
        backend: Backend name; None selects `RMA_MAMBA_BACKEND` if set, else the fastest one for the device.

    Returns:
        y (batch, height, width, channel) in the dtype of u. The state is float32 (float64 for float64 inputs).

    Raises:
        ConfigError: The shapes do not match.
        BackendError: The requested backend cannot run.
    """
    D = A.new_zeros(A.shape[:2]) if D is None else D
    delta_bias = A.new_zeros(A.shape[:2]) if delta_bias is None else delta_bias
    args = ScanArgs(u, delta, A, B, C, D, delta_bias, delta_softplus)
    args.check()
    return _run_scan(args, backend)


def cross_selective_scan(
    u: Tensor,
    gates: Tensor,
    delta_weight: Tensor,
    A: Tensor,
    D: Tensor,
    delta_bias: Tensor,
    *,
    backend: str | None = None,
) -> Tensor:
    """The core of SS2D: `scan_2d` with softplus and delta[k] = gates[..., k, :rank] @ delta_weight[k].T.

    The step sizes of all directions are never stored in full, and u is never copied into scan order.

    Args:
        u: Input (batch, height, width, channel).
        gates: (batch, height, width, direction, rank + 2 * state): the low-rank step sizes, then B, then C.
        delta_weight: Projection to step sizes (direction, channel, rank).
        A: Decay rates (direction, channel, state).
        D: Skip weights (direction, channel).
        delta_bias: Added to delta (direction, channel).
        backend: As in `scan_2d`.

    Returns:
        y (batch, height, width, channel) in the dtype of u. The state is float32 (float64 for float64 inputs).

    Raises:
        ConfigError: The shapes do not match.
        BackendError: The requested backend cannot run.
    """
    args = CrossScanArgs(u, gates, delta_weight, A, D, delta_bias)
    args.check()
    return _run_scan(args, backend)


def selective_scan(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None = None,
    delta_bias: Tensor | None = None,
    *,
    delta_softplus: bool = False,
    backend: str | None = None,
) -> Tensor:
    """Scan sequences: h[t] = exp(Δ[t]A)·h[t-1] + Δ[t]B[t]u[t]; y[t] = C[t]·h[t] + D·u[t].

    Args:
        u: Input (batch, channel, length).
        delta: Step sizes, shaped like u.
        A: Decay rates (channel, state).
        B: Input gates (batch, state, length).
        C: Output gates, shaped like B.
        D: Skip weights (channel), or None for no skip connection.
        delta_bias: Added to delta (channel), or None.
        delta_softplus: Apply softplus to delta + bias.
        backend: As in `scan_2d`.

    Returns:
        y (batch, channel, length) in the dtype of u.

    Raises:
        ConfigError: The shapes do not match.
        BackendError: The requested backend cannot run.
    """
    if u.ndim != 3 or B.ndim != 3 or C.ndim != 3 or delta.ndim != 3:
        found = f"u, delta, B and C have {u.ndim}, {delta.ndim}, {B.ndim} and {C.ndim} dimensions"
        raise ConfigError(f"{found}; expected three each. Pass (batch, channel, length) tensors.")
    y = scan_2d(
        u.mT[:, None],
        delta.mT[None, :, None],
        A[None],
        B.mT[:, None, :, None],
        C.mT[:, None, :, None],
        None if D is None else D[None],
        None if delta_bias is None else delta_bias[None],
        delta_softplus=delta_softplus,
        backend=backend,
    )
    return y[:, 0].mT


def _run_scan(args: ScanArgs | CrossScanArgs, requested: str | None) -> Tensor:
    """Run a scan on the chosen backend, through the custom operator where autograd or tracing needs it."""
    dtype = str(args.u.dtype).removeprefix("torch.")
    name = choose_backend(requested, args.u.device.type, dtype).name
    save_states = _needs_gradients(args.tensors)
    y: Tensor
    if save_states or _is_traced(args.u):
        operator = custom_ops.scan_2d if isinstance(args, ScanArgs) else custom_ops.cross_scan
        y, _ = operator(*args, save_states, name)
    elif isinstance(args, ScanArgs):
        y, _ = load_backend(name).forward(args, save_states)
    else:
        y, _ = load_backend(name).cross_forward(args, save_states)
    return y


def _needs_gradients(tensors: tuple[Tensor, ...]) -> bool:
    return torch.is_grad_enabled() and any(each.requires_grad for each in tensors)


def _is_traced(u: Tensor) -> bool:
    """Whether the call is compiled, exported, or made with fake, meta or subclassed tensors.

    Plain inference calls the backend directly: the first call of a custom operator imports `torch._dynamo`, which
    takes a second.
    """
    plain = type(u) in (Tensor, torch.nn.Parameter) and not u.is_meta
    return torch.compiler.is_compiling() or not plain
