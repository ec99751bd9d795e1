"""Backends of the operators: which exist, which can run on this machine, and how one is chosen.

An explicit argument takes precedence over the environment variable `RMA_MAMBA_BACKEND`; without either, the fastest
backend for the device of the tensors runs. A backend is imported on first use.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rma_mamba.errors import BackendError

_DEVICES = Path("/dev")

ENVIRONMENT_VARIABLE: Final = "RMA_MAMBA_BACKEND"


@dataclass(frozen=True)
class Backend:
    """One implementation of the operators.

    Args:
        name: Name by which users select it.
        module: Module of the implementation inside the package of an operator.
        device: Device type it runs on, or "any".
        requires: Packages that must be installed.
        dtypes: Supported dtypes, as torch names them.
        disabled_by: An environment variable that disables the backend unless it is empty or 0.
    """

    name: str
    module: str
    device: str
    requires: tuple[str, ...]
    dtypes: tuple[str, ...]
    disabled_by: str = ""

    def missing(self) -> tuple[str, ...]:
        """Reasons why the backend cannot run on this machine; empty if it can."""
        absent = (name for name in self.requires if importlib.util.find_spec(name) is None)
        reasons = [f"package {name} is not installed" for name in absent]
        if self.device == "cuda" and not has_gpu():
            reasons.append("no GPU was found")
        if os.environ.get(self.disabled_by, "0") not in ("", "0"):
            reasons.append(f"{self.disabled_by} is set")
        return tuple(reasons)


BACKENDS: Final = (
    Backend(
        "numba",
        "numba_cpu",
        "cpu",
        ("numba",),
        ("float32", "bfloat16", "float16"),
        disabled_by="NUMBA_DISABLE_JIT",
    ),
    Backend("triton", "triton_gpu", "cuda", ("triton",), ("float32", "bfloat16", "float16")),
    Backend("reference", "reference", "any", (), ("float32", "bfloat16", "float16", "float64")),
)


def has_gpu() -> bool:
    """Whether a GPU is present, judged by device files without importing torch; always True except on Linux."""
    nodes = ("nvidia[0-9]*", "kfd", "dxg")  # NVIDIA, AMD, Windows Subsystem for Linux
    return sys.platform != "linux" or any(any(_DEVICES.glob(node)) for node in nodes)


def available_backends() -> dict[str, str]:
    """Backend names, each with "" if it can run on this machine, or else the reasons why not."""
    return {backend.name: ", ".join(backend.missing()) for backend in BACKENDS}


def choose_backend(requested: str | None, device: str, dtype: str) -> Backend:
    """Choose the backend for a device type ("cpu", "cuda") and a dtype ("float32").

    Raises:
        BackendError: The requested backend does not exist, cannot run on this machine, or does not support the
            device or dtype.
    """
    name = requested or os.environ.get(ENVIRONMENT_VARIABLE) or None
    if name is None:
        return next(each for each in BACKENDS if not _unsupported(each, device, dtype))
    chosen = next((each for each in BACKENDS if each.name == name), None)
    reason = "it does not exist" if chosen is None else _unsupported(chosen, device, dtype)
    if chosen is None or reason:
        known = "; ".join(f"{key}: {why or 'ready'}" for key, why in available_backends().items())
        raise BackendError(
            f"backend '{name}' cannot compute {dtype} on {device}: {reason}; expected one of "
            f"({known}). Pass backend=None or unset {ENVIRONMENT_VARIABLE} to choose one automatically."
        )
    return chosen


def _unsupported(backend: Backend, device: str, dtype: str) -> str:
    """Why a backend cannot run on such tensors; "" if it can."""
    if backend.missing():
        return backend.missing()[0]
    if backend.device not in ("any", device):
        return f"it runs on {backend.device}"
    if dtype not in backend.dtypes:
        return f"it supports {', '.join(backend.dtypes)}"
    return ""
