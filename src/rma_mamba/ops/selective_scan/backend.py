"""The functions that every backend module provides, and how a backend is loaded by name."""

from __future__ import annotations

import importlib
from typing import Protocol, cast

from torch import Tensor

from rma_mamba.ops.backends import BACKENDS
from rma_mamba.ops.selective_scan.arguments import CrossScanArgs, ScanArgs


class ScanBackend(Protocol):
    """Interface of a backend module: pure functions, without autograd.

    A forward function returns y and, with `save_states`, the states that its backward function needs.
    """

    def saved_shape(self, u: tuple[int, ...], A: tuple[int, ...], /) -> tuple[int, ...]:
        """Shape of the saved states for the shapes of u and A."""

    def forward(self, args: ScanArgs, save_states: bool, /) -> tuple[Tensor, Tensor]:
        """y in the shape and dtype of u, and the saved states (empty unless requested)."""

    def backward(self, args: ScanArgs, grad_y: Tensor, saved: Tensor, /) -> tuple[Tensor, ...]:
        """Gradients of `args.tensors`, in their shapes and dtypes."""

    def cross_forward(self, args: CrossScanArgs, save_states: bool, /) -> tuple[Tensor, Tensor]:
        """As `forward`, with low-rank step sizes."""

    def cross_backward(
        self, args: CrossScanArgs, grad_y: Tensor, saved: Tensor, /
    ) -> tuple[Tensor, ...]:
        """As `backward`, with low-rank step sizes."""


def load_backend(name: str) -> ScanBackend:
    """Import the module of a backend."""
    module = next(each.module for each in BACKENDS if each.name == name)
    return cast(ScanBackend, importlib.import_module(f"{__package__}.{module}"))
