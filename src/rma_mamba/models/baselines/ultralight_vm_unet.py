"""UltraLight VM-UNet (arXiv:2403.20035): a tiny U-Net whose deeper stages apply Mamba to groups of channels.

The authors' code ends in a sigmoid; this network returns logits. A feature map is scanned as one sequence, row by row.
Two quirks of the authors' code are reproduced: the same norm is used before and after Mamba, and all Linear layers,
including those inside Mamba, are initialised with small weights and zero bias, which overrides Mamba's initialisation
of the step sizes (`zeroed_steps`).
"""

from __future__ import annotations

import math
from typing import Annotated, Final

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from rma_mamba.models.baselines.mamba import Mamba
from rma_mamba.models.baselines.single_output import SingleOutput
from rma_mamba.models.layers import without_blank_gradients
from rma_mamba.models.network_config import NetworkConfig
from rma_mamba.models.vmamba import init_linear
from rma_mamba.models.vmamba_v0_weights import translate
from rma_mamba.models.vss import init_step_sizes
from rma_mamba.shapes import Features, Images, Logits

_CHUNKS: Final = 4  # of channels; also the groups of every group normalisation
Width = Annotated[int, Field(ge=4, multiple_of=_CHUNKS)]

# Prefixes of parameters in the authors' files and their names here.
_RELEASED: Final = {
    **{f"encoder{number + 1}.0.": f"down.{number}." for number in range(6)},
    **{f"decoder{number + 1}.0.": f"up.{number}." for number in range(5)},
    **{f"ebn{number + 1}.": f"down_norms.{number}." for number in range(5)},
    **{f"dbn{number + 1}.": f"up_norms.{number}." for number in range(5)},
    **{f"scab.catt.att{number + 1}.": f"bridge.channels.{number}." for number in range(5)},
    "scab.catt.get_all_att.": "bridge.neighbours.",
    "scab.satt.shared_conv2d.0.": "bridge.positions.",
    "final.": "head.",
}


class UltraLightVMUNetConfig(NetworkConfig):
    """Settings of the network."""

    widths: tuple[Width, Width, Width, Width, Width, Width] = (8, 16, 24, 32, 48, 64)
    """Channels of the six stages, finest first: three with convolutions, three with Mamba."""

    zeroed_steps: bool = True
    """Initialise all step sizes of Mamba to softplus(0) = 0.69, as in the authors' code, which sets the biases of all
    Linear layers to 0. Otherwise they start between 0.001 and 0.1, as in Mamba."""


class ParallelMamba(nn.Module):
    """Apply one shared Mamba to each quarter of the channels, with a scaled skip connection (PVM, section 3.2)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(in_channels)
        self.mamba = Mamba(in_channels // _CHUNKS)
        self.proj = nn.Linear(in_channels, out_channels)
        self.skip_scale = nn.Parameter(torch.ones(1))

    def forward(self, x: Features) -> Features:
        """[slice, inside, height, width] to [slice, outside, height, width]."""
        sequence = self.norm(x.flatten(2).mT)
        # The Mamba is shared, so the parts can be stacked along the batch.
        parts = torch.cat(sequence.chunk(_CHUNKS, dim=-1))
        parts = self.mamba(parts) + self.skip_scale * parts
        out = self.proj(self.norm(torch.cat(parts.chunk(_CHUNKS), dim=-1)))
        joined: Tensor = out.mT.contiguous().unflatten(2, x.shape[2:])
        return joined


class Bridge(nn.Module):
    """Spatial attention, then channel attention across all skip connections (SAB and CAB, section 3.4)."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.positions = nn.Conv2d(2, 1, 7, padding=9, dilation=3)
        self.neighbours = nn.Conv1d(1, 1, 3, padding=1, bias=False)
        self.channels = nn.ModuleList(nn.Linear(sum(widths), width) for width in widths)

    def forward(self, skips: list[Features]) -> list[Features]:
        """Skip connections to skip connections of the same shapes."""
        seen = [each * self._positions(each) for each in skips]
        both = [each + skip for each, skip in zip(seen, skips, strict=True)]
        means = torch.cat([each.mean((2, 3)) for each in both], dim=1)
        mixed = self.neighbours(means[:, None])[:, 0]
        weights = [torch.sigmoid(layer(mixed))[..., None, None] for layer in self.channels]
        parts = zip(weights, both, seen, strict=True)
        return [weight * each + residual for weight, each, residual in parts]

    def _positions(self, x: Features) -> Features:
        both = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], dim=1)
        return torch.sigmoid(self.positions(both))


def _stage(in_channels: int, out_channels: int, mamba: bool) -> nn.Module:
    return (
        ParallelMamba(in_channels, out_channels)
        if mamba
        else nn.Conv2d(in_channels, out_channels, 3, padding=1)
    )


class UltraLightVMUNet(SingleOutput):
    """Maps images to one logit map of the same size; computes at half resolution and coarser."""

    def __init__(self, config: UltraLightVMUNetConfig) -> None:
        super().__init__(config)
        widths = config.widths
        in_channels = (config.input_channels, *widths[:-1])
        levels = list(range(len(widths)))
        self.down = nn.ModuleList(_stage(in_channels[i], widths[i], mamba=i >= 3) for i in levels)
        self.up = nn.ModuleList(
            _stage(widths[i], in_channels[i], mamba=i >= 3) for i in levels[:0:-1]
        )
        self.down_norms = nn.ModuleList(nn.GroupNorm(_CHUNKS, width) for width in widths[:-1])
        self.up_norms = nn.ModuleList(nn.GroupNorm(_CHUNKS, width) for width in widths[-2::-1])
        self.bridge = Bridge(widths[:-1])
        self.head = nn.Conv2d(widths[0], config.classes, 1)
        self.apply(_init_weights)
        if not config.zeroed_steps:
            for mamba in (each for each in self.modules() if isinstance(each, Mamba)):
                init_step_sizes(mamba.dt_proj.weight, mamba.dt_proj.bias)

    def _logits(self, images: Images) -> Logits:
        x = images
        *stages, deepest = self.down
        skips = []
        for stage, norm in zip(stages, self.down_norms, strict=True):
            x = functional.gelu(functional.max_pool2d(norm(stage(x)), 2))
            skips.append(x)
        skips = self.bridge(skips)
        x = functional.gelu(deepest(x))
        for number, (stage, norm) in enumerate(zip(self.up, self.up_norms, strict=True)):
            x = norm(stage(x))
            x = functional.gelu(_upsample_2x(x) if number else x) + skips.pop()
        return without_blank_gradients(_upsample_2x(self.head(x)), images)

    def translate_weights(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Rename the tensors of the authors' files; there is no ImageNet file for this network."""
        return translate(self, state, _RELEASED)


def _upsample_2x(x: Features) -> Features:
    return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)


def _init_weights(module: nn.Module) -> None:
    init_linear(module)
    if isinstance(module, nn.Conv1d | nn.Conv2d):
        outputs = math.prod(module.kernel_size) * module.out_channels
        if isinstance(module, nn.Conv2d) and module.bias is not None:
            nn.init.zeros_(module.bias)
        nn.init.normal_(module.weight, std=math.sqrt(2 / outputs))
