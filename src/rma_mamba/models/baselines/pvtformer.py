"""PVTFormer (arXiv:2401.09630): a pyramid vision transformer and a decoder that fuses all scales at full resolution."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from rma_mamba.models.baselines.blocks import Positive, Residual, conv_act, upsample
from rma_mamba.models.baselines.pvt_v2 import WIDTHS, PVTv2
from rma_mamba.models.baselines.single_output import SingleOutput
from rma_mamba.models.encoder_weights import PVT, translate
from rma_mamba.models.layers import without_blank_gradients
from rma_mamba.models.network_config import NetworkConfig
from rma_mamba.shapes import Images, Logits

_FACTORS = (4, 8, 16)  # upsampling of the encoder feature maps to full resolution, finest first


class PVTFormerConfig(NetworkConfig):
    """Settings of the network."""

    width: int = Field(default=64, ge=1)
    """Channels of the decoder."""

    encoder_width: int = Field(default=64, ge=1)
    """Channels of the first encoder stage and of each attention head."""

    encoder_depths: tuple[Positive, Positive, Positive, Positive] = (3, 4, 18, 3)
    """Blocks in the four encoder stages; the fourth is built as in the authors' code but never run."""

    drop_path: float = Field(default=0.1, ge=0, lt=1)
    """Stochastic depth rate of the last encoder block; increases linearly from 0. PVTv2 uses 0.1 for segmentation."""


class PVTFormer(SingleOutput):
    """Maps images to one logit map of the same size."""

    unused_parameters: ClassVar[tuple[str, ...]] = ("encoder.stages.3.",)

    def __init__(self, config: PVTFormerConfig) -> None:
        super().__init__(config)
        width = config.width
        self.encoder = PVTv2(
            config.encoder_width, config.encoder_depths, config.drop_path, config.input_channels
        )
        self.reduce = nn.ModuleList(
            conv_act(multiple * config.encoder_width, width, 1) for multiple in WIDTHS[:3]
        )
        self.join = nn.ModuleList(Residual(2 * width, width) for _ in range(2))
        self.decoded = Residual(width, width)
        self.enlarged = nn.ModuleList(Residual(width, width) for _ in _FACTORS)
        self.fuse = Residual((1 + len(_FACTORS)) * width, width)
        self.head = nn.Conv2d(width, config.classes, 1)

    def translate_weights(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Rename the tensors of PVTv2 (timm or original), or of the whole network."""
        return translate(self, state, PVT)

    def _logits(self, images: Images) -> Logits:
        encoded = [without_blank_gradients(each, images) for each in self.encoder(images)]
        maps = [reduce(each) for reduce, each in zip(self.reduce, encoded, strict=True)]
        x = maps[-1]
        for join, skip in zip(self.join, reversed(maps[:-1]), strict=True):
            x = join(torch.cat([upsample(x), skip], dim=1))
        whole = [self.decoded(upsample(x, 4))]
        for refine, each, factor in zip(self.enlarged, maps, _FACTORS, strict=True):
            whole.append(refine(upsample(each, factor)))
        out: Logits = self.head(self.fuse(torch.cat(whole, dim=1)))
        return out
