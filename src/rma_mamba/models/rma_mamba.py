"""RMA-Mamba (arXiv:2502.18232): a VMamba encoder, and reverse attention from coarse to fine."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from torch import nn

from rma_mamba.models.layers import ChannelsLast, ConvNorm, padded, resize
from rma_mamba.models.rma import ReverseAttention
from rma_mamba.models.vmamba import VMamba
from rma_mamba.models.vss import VSSBlock
from rma_mamba.shapes import Images, Logits

_DECODER_DROP_PATH = 0.1

Positive = Annotated[int, Field(ge=1)]


class RMAMambaConfig(BaseModel):
    """Everything that decides the shape of the network."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    width: int = Field(default=96, ge=2, multiple_of=2)
    """Channels of the encoder's first map; each further map has twice as many."""

    depths: tuple[Positive, Positive, Positive, Positive] = (2, 2, 5, 2)
    """VSS blocks of the encoder's four stages."""

    drop_path: float = Field(default=0.2, ge=0, lt=1)
    """Stochastic depth at the encoder's deepest block; rises linearly to it."""

    states: int = Field(default=1, ge=1)
    """Size of the state of one channel in every VSS block."""

    extra_blocks: int = Field(default=0, ge=0)
    """VSS blocks at each level between encoder and decoder (the paper's N: 0 in T, 1 in S)."""

    attention: Literal["rma", "ra"] = "rma"
    """Reverse attention with VSS blocks (rma) or without them (ra, the paper's ablation)."""

    decoder_width: int = Field(default=32, ge=1)
    """Channels of every map in the decoder."""


def _blocks(width: int, count: int, states: int) -> nn.Module:
    if count == 0:
        return nn.Identity()
    return ChannelsLast(VSSBlock(width, _DECODER_DROP_PATH, states) for _ in range(count))


class RMAMamba(nn.Module):
    """Images to four maps of logits, finest last. The network never needs a mask."""

    def __init__(self, config: RMAMambaConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = VMamba(config.width, config.depths, config.drop_path, config.states)
        make_blocks: Callable[[int], nn.Module] = partial(
            _blocks, count=int(config.attention == "rma"), states=config.states
        )
        for level, width in enumerate(self.encoder.widths, start=1):
            extra = _blocks(width, config.extra_blocks, config.states)
            self.add_module(f"st_block{level}", extra)
            self.add_module(f"translayer{level}_st", ConvNorm(width, config.decoder_width, 1))
        self.out_conv1 = nn.Conv2d(config.decoder_width, 1, 1)
        for number in (1, 2, 3):
            attention = ReverseAttention(config.decoder_width, make_blocks)
            self.add_module(f"attention{number}", attention)

    def forward(self, images: Images) -> list[Logits]:
        """Images [slice, 3, height, width] in [0, 1], any size from 32, to logits at their size.

        Returns:
            Four maps [slice, 1, height, width], finest last: sigmoid(last) > 0.5 is the mask.

        Raises:
            ConfigError: The images have another shape.
        """
        return padded(images, self._at_input_size)

    def _at_input_size(self, images: Images) -> list[Logits]:
        size = (images.shape[-2], images.shape[-1])
        return [resize(logits, size) for logits in self.maps(images)]

    def maps(self, images: Images) -> list[Logits]:
        """The four maps of logits at 1/32, 1/16, 1/8 and 1/4; sides must be multiples of 32."""
        levels = [
            self.get_submodule(f"translayer{level}_st")(self.get_submodule(f"st_block{level}")(x))
            for level, x in enumerate(self.encoder.features(images), start=1)
        ]
        maps = [self.out_conv1(levels[3])]
        for number in (3, 2, 1):
            maps.append(self.get_submodule(f"attention{number}")(levels[number - 1], maps[-1]))
        return maps
