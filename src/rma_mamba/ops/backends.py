"""Which implementations of the operators exist, what each lacks here, and which one runs.

The choice is: an explicit argument, else the environment variable `RMA_MAMBA_BACKEND`, else the fastest
one that runs on the tensors' device. No backend is imported before it is used.
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
        name: What users write.
        module: File of the implementation inside an operator's package.
        device: Kind of device it runs on, or "any".
        requires: Packages it needs.
        dtypes: Tensor types it computes, by torch's names.
    """

    name: str
    module: str
    device: str
    requires: tuple[str, ...]
    dtypes: tuple[str, ...]

    def lacks(self) -> tuple[str, ...]:
        """What is missing here, in words; empty if the backend can run."""
        packages = (name for name in self.requires if importlib.util.find_spec(name) is None)
        missing = [f"package {name} is not installed" for name in packages]
        if self.device == "cuda" and not has_gpu():
            missing.append("no GPU was found")
        return tuple(missing)


BACKENDS: Final = (
    Backend("numba", "numba_cpu", "cpu", ("numba",), ("float32", "bfloat16", "float16")),
    Backend("triton", "triton_gpu", "cuda", ("triton",), ("float32", "bfloat16", "float16")),
    Backend("reference", "reference", "any", (), ("float32", "bfloat16", "float16", "float64")),
)


def has_gpu() -> bool:
    """Whether there is a GPU, as far as can be told without loading torch (elsewhere than on Linux: perhaps)."""
    nodes = ("nvidia[0-9]*", "kfd", "dxg")  # of NVIDIA, of AMD, of Windows' Linux
    return sys.platform != "linux" or any(any(_DEVICES.glob(node)) for node in nodes)


def available_backends() -> dict[str, str]:
    """Every backend's name, with "" if it can run here or else what it lacks, in words."""
    return {backend.name: ", ".join(backend.lacks()) for backend in BACKENDS}


def choose_backend(asked: str | None, device: str, dtype: str) -> Backend:
    """The backend for tensors of a device kind ("cpu", "cuda") and dtype ("float32").

    Raises:
        BackendError: The backend asked for does not exist, lacks something, or cannot compute
            these tensors.
    """
    name = asked or os.environ.get(ENVIRONMENT_VARIABLE) or None
    if name is None:
        return next(each for each in BACKENDS if not _objection(each, device, dtype))
    chosen = next((each for each in BACKENDS if each.name == name), None)
    objection = "it does not exist" if chosen is None else _objection(chosen, device, dtype)
    if chosen is None or objection:
        known = "; ".join(f"{key}: {why or 'ready'}" for key, why in available_backends().items())
        raise BackendError(
            f"backend '{name}' cannot compute {dtype} on {device}: {objection}; expected one of "
            f"({known}). Pass backend=None or unset {ENVIRONMENT_VARIABLE} to let one be chosen."
        )
    return chosen


def _objection(backend: Backend, device: str, dtype: str) -> str:
    """Why a backend cannot run on such tensors, or ""."""
    if backend.lacks():
        return backend.lacks()[0]
    if backend.device not in ("any", device):
        return f"it runs on {backend.device}"
    if dtype not in backend.dtypes:
        return f"it computes {', '.join(backend.dtypes)}"
    return ""
