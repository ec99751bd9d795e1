"""RMA-Mamba (arXiv:2502.18232): a VMamba encoder, and reverse attention from coarse to fine."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal

from pydantic import Field
from torch import nn

from rma_mamba.models.layers import ChannelsLast, ConvNorm, padded, residual_convs, resize, silent
from rma_mamba.models.rma import ReverseAttention
from rma_mamba.models.vmamba import VMamba, VMambaConfig
from rma_mamba.models.vss import VSSBlock
from rma_mamba.shapes import Images, Logits


class RMAMambaConfig(VMambaConfig):
    """Everything that decides the shape of the network: the encoder's settings, and these."""

    extra_blocks: int = Field(default=0, ge=0)
    """VSS blocks at each level between encoder and decoder (the paper's N: 0 in T, 1 in S)."""

    attention: Literal["rma", "ra"] = "rma"
    """Reverse attention with VSS blocks (rma) or without them (ra, the paper's ablation)."""

    decoder_width: int = Field(default=32, ge=1)
    """Channels of every map in the decoder."""

    decoder_drop_path: float = Field(default=0.1, ge=0, lt=1)
    """Stochastic depth in every VSS block of the decoder."""

    half_width: int = Field(default=0, ge=0)
    """Channels of one more reverse attention, without VSS blocks, at half the input's resolution on the
    features of the stem; 0: none, as in the paper, whose finest map is at a quarter."""

    top_down: bool = False
    """Whether each level is also given the features that the coarser level refined, as in feature pyramids
    (arXiv:1612.03144). In the paper only the map of logits goes from level to level."""

    decoder_local: int = Field(default=0, ge=0)
    """Channels inside a residual convolution on the features of every level before its reverse attention;
    0: none, as in the paper, whose decoder has no nonlinearity beside the VSS blocks."""


def _blocks(count: int, drop_path: float, states: int, width: int) -> nn.Module:
    if count == 0:
        return nn.Identity()
    return ChannelsLast(VSSBlock(width, drop_path, states) for _ in range(count))


class RMAMamba(nn.Module):
    """Images to maps of logits, finest last. The network never needs a mask."""

    def __init__(self, config: RMAMambaConfig) -> None:
        super().__init__()
        self.config = config
        self.maps_returned = (
            5  # at most, the finest; only they are brought to the size of the images
        )
        self.encoder = VMamba(config)
        make_extra: Callable[[int], nn.Module] = partial(
            _blocks, config.extra_blocks, config.decoder_drop_path, config.states
        )
        make_blocks: Callable[[int], nn.Module] = partial(
            _blocks, int(config.attention == "rma"), config.decoder_drop_path, config.states
        )
        for level, width in enumerate(self.encoder.widths, start=1):
            self.add_module(f"st_block{level}", make_extra(width))
            self.add_module(f"translayer{level}_st", ConvNorm(width, config.decoder_width, 1))
        self.out_conv1 = nn.Conv2d(config.decoder_width, 1, 1)
        for number in (1, 2, 3):
            attention = ReverseAttention(config.decoder_width, make_blocks)
            self.add_module(f"attention{number}", attention)
        if config.half_width:
            self.translayer0_st = ConvNorm(config.width // 2, config.half_width, 1)
            self.attention0 = ReverseAttention(config.half_width, lambda _: nn.Identity())
        widths = dict.fromkeys((1, 2, 3), config.decoder_width)
        if config.half_width:
            widths = {0: config.half_width, **widths}
        for number, width in widths.items():
            local = residual_convs(int(config.decoder_local > 0), width, config.decoder_local)
            self.add_module(f"local{number}", local)
        if config.top_down:
            for number, width in widths.items():
                projection = silent(ConvNorm(config.decoder_width, width, 1))
                self.add_module(f"top_down{number}", projection)

    def forward(self, images: Images) -> list[Logits]:
        """Images [slice, 3, height, width] in [0, 1], any size from 32, to logits at their size.

        Returns:
            Four maps (five with `half_width`) [slice, 1, height, width], finest last: sigmoid(last) > 0.5
            is the mask.

        Raises:
            ConfigError: The images have another shape.
        """
        return padded(images, self._at_input_size)

    def _at_input_size(self, images: Images) -> list[Logits]:
        size = (images.shape[-2], images.shape[-1])
        maps = self.maps(images)
        return [resize(logits, size) for logits in maps[-self.maps_returned :]]

    def maps(self, images: Images) -> list[Logits]:
        """The maps of logits at 1/32, 1/16, 1/8, 1/4 (and 1/2); sides must be multiples of 32."""
        half, quarter = self.encoder.stem(images)
        levels = [
            self.get_submodule(f"translayer{level}_st")(self.get_submodule(f"st_block{level}")(x))
            for level, x in enumerate(self.encoder.features(quarter), start=1)
        ]
        if self.config.half_width:
            levels.insert(0, self.translayer0_st(half))
        refined = levels.pop()
        maps = [self.out_conv1(refined)]
        for number, x in zip((3, 2, 1, 0), reversed(levels), strict=False):
            if self.config.top_down:
                size = (x.shape[-2], x.shape[-1])
                x = x + resize(self.get_submodule(f"top_down{number}")(refined), size)
            x = self.get_submodule(f"local{number}")(x)
            logits, refined = self.get_submodule(f"attention{number}")(x, maps[-1])
            maps.append(logits)
        return maps
