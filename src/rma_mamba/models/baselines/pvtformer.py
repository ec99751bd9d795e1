"""PVTFormer (arXiv:2401.09630): a pyramid vision transformer and a decoder that joins all scales at full resolution."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from rma_mamba.models.baselines.blocks import Positive, Residual, conv_act, upsample
from rma_mamba.models.baselines.pvt_v2 import WIDTHS, PVTv2
from rma_mamba.models.baselines.single_output import SingleOutput
from rma_mamba.models.encoder_weights import PVT, translate
from rma_mamba.shapes import Images, Logits

_FACTORS = (4, 8, 16)  # of the encoder's maps to full resolution, finest first


class PVTFormerConfig(BaseModel):
    """Everything that decides the shape of the network."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    width: int = Field(default=64, ge=1)
    """Channels of the decoder."""

    encoder_width: int = Field(default=64, ge=1)
    """Channels of the encoder's first stage, and of each attention head."""

    encoder_depths: tuple[Positive, Positive, Positive, Positive] = (3, 4, 18, 3)
    """Blocks of the encoder's four stages; the fourth is built as in the authors' code, and never run."""

    drop_path: float = Field(default=0.1, ge=0, lt=1)
    """Stochastic depth at the encoder's last block; rises linearly to it. PVTv2's own segmentation has 0.1."""


class PVTFormer(SingleOutput):
    """Images to one map of logits, at their size."""

    unused_parameters: ClassVar[tuple[str, ...]] = ("encoder.stages.3.",)

    def __init__(self, config: PVTFormerConfig) -> None:
        super().__init__()
        width = config.width
        self.encoder = PVTv2(config.encoder_width, config.encoder_depths, config.drop_path)
        self.reduce = nn.ModuleList(
            conv_act(multiple * config.encoder_width, width, 1) for multiple in WIDTHS[:3]
        )
        self.join = nn.ModuleList(Residual(2 * width, width) for _ in range(2))
        self.decoded = Residual(width, width)
        self.enlarged = nn.ModuleList(Residual(width, width) for _ in _FACTORS)
        self.fuse = Residual((1 + len(_FACTORS)) * width, width)
        self.head = nn.Conv2d(width, 1, 1)

    def translate_weights(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Own names of a file: PVTv2 by timm or by its authors, or the whole network."""
        return translate(self, state, PVT)

    def _logits(self, images: Images) -> Logits:
        maps = [
            reduce(each) for reduce, each in zip(self.reduce, self.encoder(images), strict=True)
        ]
        x = maps[-1]
        for join, skip in zip(self.join, reversed(maps[:-1]), strict=True):
            x = join(torch.cat([upsample(x), skip], dim=1))
        whole = [self.decoded(upsample(x, 4))]
        for refine, each, factor in zip(self.enlarged, maps, _FACTORS, strict=True):
            whole.append(refine(upsample(each, factor)))
        out: Logits = self.head(self.fuse(torch.cat(whole, dim=1)))
        return out
