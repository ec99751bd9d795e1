"""The numerical precision of training, by what the device computes fast."""

from __future__ import annotations

from typing import Literal

import torch

from rma_mamba.training.config import TrainingConfig

# With them, oneDNN multiplies bfloat16 matrices natively; without them, a training step takes six to ten times as
# long in bfloat16 as in float32 (measured on an AVX2 processor).
_BF16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16")


def lightning_precision(training: TrainingConfig) -> Literal["32-true", "bf16-mixed"]:
    """The precision of the recipe; for "auto", mixed precision if the device has instructions for bfloat16."""
    if training.precision != "auto":
        return training.precision
    if training.accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    elif training.accelerator == "auto" and torch.backends.mps.is_available():
        fast = False
    else:
        fast = training.accelerator in ("auto", "cpu") and _cpu_has_bf16()
    return "bf16-mixed" if fast else "32-true"


def _cpu_has_bf16() -> bool:
    """Whether the processor multiplies bfloat16 natively; False for releases of PyTorch that cannot tell."""
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(capabilities.get(each) for each in _BF16_INSTRUCTIONS)
