"""The scans as `torch.library` custom operators, so that autograd, `torch.compile` and export see them.

The schema of a custom operator lists flat tensors: this is the only place where argument objects are unpacked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import torch
from torch import Tensor

from rma_mamba.ops.selective_scan.arguments import CrossScanArgs, ScanArgs
from rma_mamba.ops.selective_scan.backend import load_backend

_SCAN: Final = (
    ", ".join(f"Tensor {name}" for name in ScanArgs._fields[:-1]) + ", bool delta_softplus"
)
_CROSS_SCAN: Final = ", ".join(f"Tensor {name}" for name in CrossScanArgs._fields)
_FORWARD: Final = "({}, bool save_states, str backend) -> (Tensor, Tensor)"
_BACKWARD: Final = "({}, Tensor grad_y, Tensor saved, str backend) -> Tensor[]"


@torch.library.custom_op("rma_mamba::scan_2d", mutates_args=(), schema=_FORWARD.format(_SCAN))
def scan_2d(*inputs: Any) -> tuple[Tensor, Tensor]:
    """The fields of `ScanArgs`, save_states, backend: y and the saved states."""
    *args, save_states, backend = inputs
    return load_backend(backend).forward(ScanArgs(*args), save_states)


@torch.library.custom_op(
    "rma_mamba::scan_2d_backward", mutates_args=(), schema=_BACKWARD.format(_SCAN)
)
def scan_2d_backward(*inputs: Any) -> list[Tensor]:
    """The fields of `ScanArgs`, grad_y, saved, backend: a gradient for each tensor field."""
    *args, grad_y, saved, backend = inputs
    return list(load_backend(backend).backward(ScanArgs(*args), grad_y, saved))


@torch.library.custom_op(
    "rma_mamba::cross_scan", mutates_args=(), schema=_FORWARD.format(_CROSS_SCAN)
)
def cross_scan(*inputs: Any) -> tuple[Tensor, Tensor]:
    """The fields of `CrossScanArgs`, save_states, backend: y and the saved states."""
    *args, save_states, backend = inputs
    return load_backend(backend).cross_forward(CrossScanArgs(*args), save_states)


@torch.library.custom_op(
    "rma_mamba::cross_scan_backward", mutates_args=(), schema=_BACKWARD.format(_CROSS_SCAN)
)
def cross_scan_backward(*inputs: Any) -> list[Tensor]:
    """The fields of `CrossScanArgs`, grad_y, saved, backend: a gradient for each of them."""
    *args, grad_y, saved, backend = inputs
    return list(load_backend(backend).cross_backward(CrossScanArgs(*args), grad_y, saved))


def _empty_outputs(
    kind: type[ScanArgs] | type[CrossScanArgs], *inputs: Any
) -> tuple[Tensor, Tensor]:
    """Uninitialised tensors like those that the forward operator returns."""
    *fields, save_states, backend = inputs
    args = kind(*fields)
    shape = load_backend(backend).saved_shape(args.u.shape, args.A.shape) if save_states else (0,)
    y = torch.empty_like(args.u, memory_format=torch.contiguous_format)
    return y, args.u.new_empty(shape, dtype=torch.float32)


def _empty_gradients(*inputs: Any) -> list[Tensor]:
    """Uninitialised tensors like those that the backward operator returns."""
    *fields, _grad_y, _saved, _backend = inputs
    tensors = (each for each in fields if isinstance(each, Tensor))
    return [torch.empty_like(each, memory_format=torch.contiguous_format) for each in tensors]


def _save_for_backward(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    *fields, _save_states, ctx.backend = inputs
    ctx.save_for_backward(output[1], *(each for each in fields if isinstance(each, Tensor)))
    ctx.flags = tuple(each for each in fields if not isinstance(each, Tensor))


def _differentiate_with(backward: Callable[..., list[Tensor]]) -> Callable[..., Any]:
    def differentiate(ctx: Any, grad_y: Tensor, _: Any) -> tuple[Tensor | None, ...]:
        saved, *tensors = ctx.saved_tensors
        grads = backward(*tensors, *ctx.flags, grad_y, saved, ctx.backend)
        # save_states and backend have no gradient, and neither have flags.
        return (*grads, *[None] * (len(ctx.flags) + 2))

    return differentiate


scan_2d.register_fake(lambda *inputs: _empty_outputs(ScanArgs, *inputs))
cross_scan.register_fake(lambda *inputs: _empty_outputs(CrossScanArgs, *inputs))
scan_2d_backward.register_fake(_empty_gradients)
cross_scan_backward.register_fake(_empty_gradients)
scan_2d.register_autograd(_differentiate_with(scan_2d_backward), setup_context=_save_for_backward)
cross_scan.register_autograd(
    _differentiate_with(cross_scan_backward), setup_context=_save_for_backward
)
