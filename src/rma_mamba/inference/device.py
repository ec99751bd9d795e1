"""The device that a network runs on, and the numbers it computes with."""

from __future__ import annotations

from typing import Literal

import torch

from rma_mamba.errors import BackendError
from rma_mamba.ops.backends import BACKENDS

Precision = Literal["auto", "float32", "bfloat16"]


def choose_precision(asked: Precision, device: torch.device) -> torch.dtype:
    """The type of matrix products on a device; auto takes bfloat16 where the hardware multiplies it.

    Elsewhere bfloat16 is emulated, and slower than float32.
    """
    if asked != "auto":
        return torch.bfloat16 if asked == "bfloat16" else torch.float32
    if device.type == "cuda":
        fast = torch.cuda.get_device_capability(device) >= (8, 0)
    else:
        can = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
        fast = bool(can.get("avx512_bf16") or can.get("amx_bf16"))
    return torch.bfloat16 if fast else torch.float32


def choose_device(asked: str) -> torch.device:
    """The device for "auto", "cpu", "cuda", "cuda:1", or "gpu" for "cuda".

    auto takes a GPU if there is one with an operator made for it: the reference alone is slower there than
    a CPU.

    Raises:
        BackendError: There is no such device here.
    """
    if asked == "auto":
        fast = any(each.device == "cuda" and not each.lacks() for each in BACKENDS)
        return torch.device("cuda" if fast and torch.cuda.is_available() else "cpu")
    if asked == "gpu" or asked.startswith("gpu:"):
        asked = asked.replace("gpu", "cuda")
    usable = ["auto", "cpu", *(f"cuda:{number}" for number in range(torch.cuda.device_count()))]
    if asked not in usable and not (asked == "cuda" and len(usable) > 2):
        raise BackendError(
            f"the device '{asked}' cannot be used; expected one of {', '.join(usable)}. "
            "Choose one of these, or install a torch build for your GPU."
        )
    return torch.device(asked)
