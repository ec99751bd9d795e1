"""The functions that every backend module provides, and how a backend is loaded by name."""

from __future__ import annotations

import importlib
from typing import Protocol, cast

from torch import Tensor

from rma_mamba.errors import BackendError
from rma_mamba.ops.backends import BACKENDS, ENVIRONMENT_VARIABLE
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
    """Import the module of a backend.

    Raises:
        BackendError: Its library cannot be imported.
    """
    module = next(each.module for each in BACKENDS if each.name == name)
    try:
        return cast(ScanBackend, importlib.import_module(f"{__package__}.{module}"))
    except (
        ImportError,
        ValueError,
    ) as error:  # numba raises ValueError for variables with wrong values
        reason = " ".join(str(error).split())
        raise BackendError(
            f"the backend '{name}' cannot be loaded ({reason}); expected an installation and environment variables "
            f"with which its library can be imported. Correct them, or set {ENVIRONMENT_VARIABLE}=reference, which is "
            "slower."
        ) from error
