"""The device on which a network runs."""

from __future__ import annotations

import torch

from rma_mamba.errors import BackendError
from rma_mamba.ops.backends import BACKENDS


def choose_device(requested: str) -> torch.device:
    """The device for "auto", "cpu", "cuda", "cuda:1", "mps" (Apple), or "gpu", which means "cuda".

    "auto" selects a GPU if a fast operator backend supports it: the reference operator alone is slower there than the
    CPU backend.

    Raises:
        BackendError: The device is not available.
    """
    if requested == "auto":
        fast = any(backend.device == "cuda" and not backend.missing() for backend in BACKENDS)
        return torch.device("cuda" if fast and torch.cuda.is_available() else "cpu")
    if requested == "gpu" or requested.startswith("gpu:"):
        requested = requested.replace("gpu", "cuda")
    usable = ["auto", "cpu", *(f"cuda:{number}" for number in range(torch.cuda.device_count()))]
    usable += ["mps"] if torch.backends.mps.is_available() else []
    if requested not in usable and not (requested == "cuda" and "cuda:0" in usable):
        raise BackendError(
            f"the device '{requested}' cannot be used; expected one of {', '.join(usable)}. "
            "Choose one of these, or install a build of torch that supports your GPU."
        )
    return torch.device(requested)
