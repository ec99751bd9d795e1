"""Weights and images that are the same on every machine, made from parameter names and seeds alone."""

import zlib

import torch
from torch import Tensor, nn
from torch.nn import functional


def fill(name: str, shape: torch.Size) -> Tensor:
    """The value of the parameter or buffer of this name."""
    if name.endswith("num_batches_tracked"):
        return torch.tensor(0)
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    uniform = {
        "running_var": (0.5, 1),
        "A_logs": (0, 0.5),
        ".Ds": (0.5, 1),
        "dt_projs_bias": (-4, 2),
    }
    for ending, (low, width) in uniform.items():
        if name.endswith(ending):
            return low + width * torch.rand(shape, generator=generator)
    normal = torch.randn(shape, generator=generator)
    if len(shape) == 1:
        return 0.1 * normal + (1 if name.endswith("weight") else 0)
    per_row = name.endswith(("x_proj_weight", "dt_projs_weight"))
    return normal / (shape[-1] if per_row else shape[1:].numel()) ** 0.5


def filled(model: nn.Module) -> nn.Module:
    """The model with deterministic weights, in evaluation mode."""
    model.load_state_dict({name: fill(name, x.shape) for name, x in model.state_dict().items()})
    return model.eval()


def image(seed: int, size: tuple[int, int, int, int] = (1, 3, 256, 256)) -> Tensor:
    """A smooth random image in [0, 1]."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(*size[:2], 16, 16, generator=generator)
    return functional.interpolate(coarse, size=size[2:], mode="bilinear", align_corners=False)
