"""Mamba-UNet (arXiv:2402.05079): a U-Net of VMamba v0 blocks with concatenated skip connections."""

from __future__ import annotations

from collections import OrderedDict

import torch
from pydantic import Field
from torch import Tensor, nn

from rma_mamba.models.baselines.single_output import SingleOutput
from rma_mamba.models.baselines.vss_v0 import (
    Depths,
    PatchExpand,
    VSSEncoder,
    linear_drop_paths,
    vss_blocks,
)
from rma_mamba.models.network_config import NetworkConfig
from rma_mamba.models.vmamba import init_linear
from rma_mamba.models.vmamba_v0_weights import released_prefixes, translate
from rma_mamba.shapes import Images, Logits


class MambaUNetConfig(NetworkConfig):
    """Settings of the network."""

    width: int = Field(default=96, ge=2, multiple_of=2)
    """Channels at a quarter of the input resolution; doubled at each coarser level."""

    depths: Depths = (2, 2, 2, 2)
    """VSS blocks in the four encoder stages, finest first; the three decoder stages mirror the first three."""

    drop_path: float = Field(default=0.2, ge=0, lt=1)
    """Stochastic depth rate of the last encoder block; increases linearly from 0. The decoder mirrors it."""


class MambaUNet(SingleOutput):
    """Maps images to one logit map of the same size."""

    def __init__(self, config: MambaUNetConfig) -> None:
        super().__init__(config)
        width, depths = config.width, config.depths
        deepest = width * 2 ** (len(depths) - 1)
        self.encoder = VSSEncoder(width, depths, config.drop_path, config.input_channels)
        self.norm = nn.LayerNorm(deepest)
        self.layers_up = nn.ModuleList([PatchExpand(deepest, deepest // 2)])
        self.concat_back_dim = nn.ModuleList([nn.Identity()])  # the first has no skip connection
        *finer, _ = enumerate(linear_drop_paths(config.drop_path, depths))
        for level, drop_paths in reversed(finer):
            channels = width * 2**level
            parts: OrderedDict[str, nn.Module] = OrderedDict(
                blocks=vss_blocks(channels, drop_paths)
            )
            if level > 0:
                parts["upsample"] = PatchExpand(channels, channels // 2)
            self.layers_up.append(nn.Sequential(parts))
            self.concat_back_dim.append(nn.Linear(2 * channels, channels))
        self.norm_up = nn.LayerNorm(width)
        self.up = PatchExpand(width, width, scale=4)
        self.output = nn.Conv2d(width, config.classes, 1, bias=False)
        self.apply(init_linear)

    def _logits(self, images: Images) -> Logits:
        x, (*skips, _) = self.encoder(images)
        first, *stages = self.layers_up
        x = first(self.norm(x))
        for join, stage in zip(self.concat_back_dim[1:], stages, strict=True):
            x = stage(join(torch.cat([x, skips.pop()], dim=-1)))
        out: Logits = self.output(self.up(self.norm_up(x)).permute(0, 3, 1, 2))
        return out

    def translate_weights(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Rename the tensors of a VMamba v0 file or of the authors' (see `vmamba_v0_weights`)."""
        return translate(self, state, released_prefixes("mamba_unet"))
