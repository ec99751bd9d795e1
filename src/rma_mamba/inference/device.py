"""The device that a network runs on."""

from __future__ import annotations

import torch

from rma_mamba.errors import BackendError


def choose_device(asked: str) -> torch.device:
    """The device for "auto", "cpu", "cuda", "cuda:1" and the like; auto takes a GPU if there is one.

    Raises:
        BackendError: There is no such device here.
    """
    if asked == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    usable = ["auto", "cpu", *(f"cuda:{number}" for number in range(torch.cuda.device_count()))]
    if asked not in usable and not (asked == "cuda" and len(usable) > 2):
        raise BackendError(
            f"the device '{asked}' cannot be used; expected one of {', '.join(usable)}. "
            "Choose one of these, or install a torch build for your GPU."
        )
    return torch.device(asked)
