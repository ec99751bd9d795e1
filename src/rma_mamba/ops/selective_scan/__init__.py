"""The selective scan (Mamba's S6) over sequences and, in four directions, over maps (VMamba's SS2D).

| letter | meaning | in the paper arXiv:2312.00752 |
|---|---|---|
| u | input | x |
| delta | step size before bias and softplus | Δ |
| A | decay rate, negative | A |
| B, C | how the input enters the state, how the state leaves it | B, C |
| D | skip | D |

A backend is a module with pure functions: `forward` and `backward`, whose step sizes are given, and
`cross_forward` and `cross_backward`, which make them from a low rank where they are used. Where gradients will be
asked for (`keep`), the forward ones also return what the backward ones want to see again, of `kept_shape`. Autograd is
wired here, once, as `torch.library` custom operators, so that `torch.compile` and export see them.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from rma_mamba.errors import ConfigError
from rma_mamba.ops.backends import BACKENDS, choose_backend

__all__ = ["cross_selective_scan", "scan_2d", "selective_scan"]


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
    """Selective scans over a channels-last map in one to four directions, added.

    Direction 0 walks along rows, 1 along columns, 2 and 3 are 0 and 1 backwards (arXiv:2401.10166, SS2D).

    Args:
        u: Input (batch, height, width, channel).
        delta: Step sizes (direction, batch, height, width, channel), any real number if softplus.
        A: Decay rates (direction, channel, state).
        B: Input gates (batch, height, width, direction, state).
        C: Output gates, as B.
        D: Skip (direction, channel), or None for no skip.
        delta_bias: Added to delta (direction, channel), or None.
        delta_softplus: Whether softplus is applied to delta + bias.
        backend: Name of a backend; None: `RMA_MAMBA_BACKEND`, else the fastest for the device.

    Returns:
        y (batch, height, width, channel) in u's type. The state is float32 (float64 for float64).

    Raises:
        ConfigError: Shapes do not fit together.
        BackendError: The backend asked for cannot run.
    """
    _check(u, delta, A, B, C, D, delta_bias)
    D = A.new_zeros(A.shape[:2]) if D is None else D
    delta_bias = A.new_zeros(A.shape[:2]) if delta_bias is None else delta_bias
    chosen = choose_backend(backend, u.device.type, str(u.dtype).removeprefix("torch."))
    tensors = (u, delta, A, B, C, D, delta_bias)
    keep = _will_differentiate(*tensors)
    if keep or _is_traced(u):
        y: Tensor = _scan(*tensors, delta_softplus, keep, chosen.name)[0]
    else:
        y = _module(chosen.name).forward(*tensors, delta_softplus, keep)[0]
    return y


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
    """The core of SS2D: `scan_2d` with delta[k] = gates[..., k, :rank] @ delta_weight[k].T, and softplus.

    The step sizes of all directions are never held in memory, nor are copies of u in scan order.

    Args:
        u: Input (batch, height, width, channel).
        gates: What a position lets in and out, (batch, height, width, direction, rank + 2 states): `rank`
            numbers that make the step sizes, then B, then C.
        delta_weight: Step sizes from these numbers (direction, channel, rank).
        A: Decay rates (direction, channel, state).
        D: Skip (direction, channel).
        delta_bias: Added to delta (direction, channel).
        backend: As for `scan_2d`.

    Returns:
        y (batch, height, width, channel) in u's type. The state is float32 (float64 for float64).

    Raises:
        ConfigError: Shapes do not fit together.
        BackendError: The backend asked for cannot run.
    """
    _check_map(u, A)
    directions, channels, states = A.shape
    rank = delta_weight.shape[-1]
    _check_shapes(
        u,
        {
            "A": (A, (directions, u.shape[3], states)),
            "delta_weight": (delta_weight, (directions, channels, rank)),
            "gates": (gates, (*u.shape[:3], directions, rank + 2 * states)),
            "D": (D, (directions, channels)),
            "delta_bias": (delta_bias, (directions, channels)),
        },
    )
    chosen = choose_backend(backend, u.device.type, str(u.dtype).removeprefix("torch."))
    tensors = (u, gates, delta_weight, A, D, delta_bias)
    keep = _will_differentiate(*tensors)
    if keep or _is_traced(u):
        y: Tensor = _cross_scan(*tensors, keep, chosen.name)[0]
    else:
        y = _module(chosen.name).cross_forward(*tensors, keep)[0]
    return y


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
    """Selective scan over sequences: h[t] = exp(Δ[t]A)·h[t-1] + Δ[t]B[t]u[t]; y[t] = C[t]·h[t] + D·u[t].

    Args:
        u: Input (batch, channel, length).
        delta: Step sizes, as u.
        A: Decay rates (channel, state).
        B: Input gates (batch, state, length).
        C: Output gates, as B.
        D: Skip (channel), or None for no skip.
        delta_bias: Added to delta (channel), or None.
        delta_softplus: Whether softplus is applied to delta + bias.
        backend: As for `scan_2d`.

    Returns:
        y (batch, channel, length) in u's type.

    Raises:
        ConfigError: Shapes do not fit together.
        BackendError: The backend asked for cannot run.
    """
    if u.ndim != 3 or B.ndim != 3 or C.ndim != 3 or delta.ndim != 3:
        found = f"u, delta, B, C have {u.ndim}, {delta.ndim}, {B.ndim}, {C.ndim} axes"
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


def _check(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor | None, bias: Tensor | None
) -> None:
    _check_map(u, A)
    directions, channels, states = A.shape
    gates = (*u.shape[:3], directions, states)
    _check_shapes(
        u,
        {
            "A": (A, (directions, u.shape[3], states)),
            "delta": (delta, (directions, *u.shape)),
            "B": (B, gates),
            "C": (C, gates),
            "D": (D, (directions, channels)),
            "delta_bias": (bias, (directions, channels)),
        },
    )


def _check_map(u: Tensor, A: Tensor) -> None:
    if u.ndim != 4 or A.ndim != 3 or not 1 <= A.shape[0] <= 4 or 0 in (u.numel(), A.shape[2]):
        found = f"u has shape {tuple(u.shape)} and A {tuple(A.shape)}"
        raise ConfigError(
            f"{found}; expected (batch, height, width, channel), none of them 0, and "
            "(direction, channel, state) with one to four directions. Reshape the inputs."
        )
    if not u.is_floating_point():
        raise ConfigError(f"u is {u.dtype}; expected real numbers. Convert it with u.float().")


def _check_shapes(u: Tensor, expected: dict[str, tuple[Tensor | None, tuple[int, ...]]]) -> None:
    for name, (tensor, shape) in expected.items():
        if tensor is not None and tuple(tensor.shape) != shape:
            found = f"{name} has shape {tuple(tensor.shape)}; expected {shape}"
            raise ConfigError(f"{found} beside u of {tuple(u.shape)}. Reshape {name}.")


def _will_differentiate(*tensors: Tensor) -> bool:
    return torch.is_grad_enabled() and any(each.requires_grad for each in tensors)


def _is_traced(u: Tensor) -> bool:
    """Whether somebody other than the backend looks at the call.

    Plain inference goes to the backend itself: the first call of a custom operator loads `torch._dynamo`, which takes
    a second.
    """
    plain = type(u) in (Tensor, torch.nn.Parameter) and not u.is_meta
    return torch.compiler.is_compiling() or not plain


def _module(backend: str) -> ModuleType:
    name = next(each.module for each in BACKENDS if each.name == backend)
    return importlib.import_module(f"{__name__}.{name}")


@torch.library.custom_op("rma_mamba::scan_2d", mutates_args=())
def _scan(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor,
    bias: Tensor,
    softplus: bool,
    keep: bool,
    backend: str,
) -> tuple[Tensor, Tensor]:
    y, kept = _module(backend).forward(u, delta, A, B, C, D, bias, softplus, keep)
    return y, kept


@torch.library.custom_op("rma_mamba::scan_2d_backward", mutates_args=())
def _scan_backward(
    grad_y: Tensor,
    kept: Tensor,
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor,
    bias: Tensor,
    softplus: bool,
    backend: str,
) -> list[Tensor]:
    return list(_module(backend).backward(grad_y, kept, u, delta, A, B, C, D, bias, softplus))


@torch.library.custom_op("rma_mamba::cross_scan", mutates_args=())
def _cross_scan(
    u: Tensor,
    gates: Tensor,
    weight: Tensor,
    A: Tensor,
    D: Tensor,
    bias: Tensor,
    keep: bool,
    backend: str,
) -> tuple[Tensor, Tensor]:
    y, kept = _module(backend).cross_forward(u, gates, weight, A, D, bias, keep)
    return y, kept


@torch.library.custom_op("rma_mamba::cross_scan_backward", mutates_args=())
def _cross_scan_backward(
    grad_y: Tensor,
    kept: Tensor,
    u: Tensor,
    gates: Tensor,
    weight: Tensor,
    A: Tensor,
    D: Tensor,
    bias: Tensor,
    backend: str,
) -> list[Tensor]:
    return list(_module(backend).cross_backward(grad_y, kept, u, gates, weight, A, D, bias))


def _outputs(u: Tensor, A: Tensor, keep: bool, backend: str) -> tuple[Tensor, Tensor]:
    """Tensors like those that a scan of u returns."""
    shape = _module(backend).kept_shape(u.shape, A.shape) if keep else (0,)
    y = torch.empty_like(u, memory_format=torch.contiguous_format)
    return y, u.new_empty(shape, dtype=torch.float32)


@_scan.register_fake
def _(u: Tensor, delta: Tensor, A: Tensor, *rest: Any) -> tuple[Tensor, Tensor]:
    return _outputs(u, A, *rest[-2:])


@_cross_scan.register_fake
def _(u: Tensor, gates: Tensor, weight: Tensor, A: Tensor, *rest: Any) -> tuple[Tensor, Tensor]:
    return _outputs(u, A, *rest[-2:])


@_scan_backward.register_fake
@_cross_scan_backward.register_fake
def _(grad_y: Tensor, kept: Tensor, *inputs: Any) -> list[Tensor]:
    tensors = (x for x in inputs if isinstance(x, Tensor))
    return [torch.empty_like(x, memory_format=torch.contiguous_format) for x in tensors]


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    ctx.save_for_backward(output[1], *inputs[:7])
    ctx.softplus, _, ctx.backend = inputs[7:]


def _differentiate(ctx: Any, grad_y: Tensor, _: Any) -> tuple[Tensor | None, ...]:
    grads = _scan_backward(grad_y, *ctx.saved_tensors, ctx.softplus, ctx.backend)
    return (*grads, None, None, None)


_scan.register_autograd(_differentiate, setup_context=_keep)


def _keep_cross(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    ctx.save_for_backward(output[1], *inputs[:6])
    ctx.backend = inputs[7]


def _differentiate_cross(ctx: Any, grad_y: Tensor, _: Any) -> tuple[Tensor | None, ...]:
    return (*_cross_scan_backward(grad_y, *ctx.saved_tensors, ctx.backend), None, None)


_cross_scan.register_autograd(_differentiate_cross, setup_context=_keep_cross)
