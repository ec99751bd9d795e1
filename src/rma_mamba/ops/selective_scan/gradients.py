"""The gradients that a backend found by name, as the tuples that its `backward` functions give."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor


def like(grads: Iterable[Tensor], inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Gradients in the shapes and types of their inputs, and in the one layout that compiled graphs count on."""
    pairs = zip(grads, inputs, strict=True)
    return tuple(grad.reshape(x.shape).to(x.dtype).contiguous() for grad, x in pairs)


def of_scan(found: Mapping[str, Tensor], inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Gradients of u, delta, A, B, C, D and bias; those of B and C are parts of the gates'."""
    states = inputs[2].shape[2]
    # copies, since no two results of an operator may share memory
    gB, gC = (each.clone() for each in torch.split(found["gates"], states, -1))
    grads = (found["u"], found["delta"], found["A"], gB, gC, found["D"], found["bias"])
    return like(grads, inputs)


def of_cross_scan(found: Mapping[str, Tensor], inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Gradients of u, gates, weight, A, D and bias."""
    return like((found[name] for name in ("u", "gates", "weight", "A", "D", "bias")), inputs)
