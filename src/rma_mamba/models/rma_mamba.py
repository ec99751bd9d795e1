"""RMA-Mamba (arXiv:2502.18232): a VMamba encoder and a decoder of reverse attention from coarse to fine."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import nn

from rma_mamba.models.layers import (
    ChannelsLast,
    ConvNorm,
    residual_convs,
    resize,
    run_padded,
    zero_init,
)
from rma_mamba.models.rma import ReverseAttention
from rma_mamba.models.rma_mamba_config import RMAMambaConfig
from rma_mamba.models.through_plane import ThroughPlaneBlocks
from rma_mamba.models.vmamba import VMamba
from rma_mamba.models.vss import VSSBlock
from rma_mamba.shapes import Features, Images, Logits


def _make_blocks(count: int, drop_path: float, states: int, width: int) -> nn.Module:
    if count == 0:
        return nn.Identity()
    return ChannelsLast(VSSBlock(width, drop_path, states) for _ in range(count))


class RMAMamba(nn.Module):
    """Maps images to a list of logit maps, finest last."""

    def __init__(self, config: RMAMambaConfig) -> None:
        super().__init__()
        self.config = config
        self.maps_returned = 5  # at most: the finest ones, and only these are resized to the images
        self.encoder = VMamba(config)
        make_extra: Callable[[int], nn.Module] = partial(
            _make_blocks, config.extra_blocks, config.decoder_drop_path, config.states
        )
        make_blocks: Callable[[int], nn.Module] = partial(
            _make_blocks, int(config.attention == "rma"), config.decoder_drop_path, config.states
        )
        for level, width in enumerate(self.encoder.widths, start=1):
            self.add_module(f"st_block{level}", make_extra(width))
            self.add_module(f"translayer{level}_st", ConvNorm(width, config.decoder_width, 1))
            context = ThroughPlaneBlocks(
                config.decoder_through_plane[level - 1], config.decoder_width, config.states
            )
            self.add_module(f"through_plane{level}", context)
        self.out_conv1 = nn.Conv2d(config.decoder_width, config.classes, 1)
        for number in (1, 2, 3):
            attention = ReverseAttention(config.decoder_width, make_blocks, config.classes)
            self.add_module(f"attention{number}", attention)
        if config.half_width:
            self.translayer0_st = ConvNorm(config.width // 2, config.half_width, 1)
            self.attention0 = ReverseAttention(
                config.half_width, lambda _: nn.Identity(), config.classes
            )
        widths = dict.fromkeys((1, 2, 3), config.decoder_width)
        if config.half_width:
            widths = {0: config.half_width, **widths}
        for number, width in widths.items():
            local = residual_convs(int(config.decoder_local > 0), width, config.decoder_local)
            self.add_module(f"local{number}", local)
        if config.top_down:
            for number, width in widths.items():
                projection = zero_init(ConvNorm(config.decoder_width, width, 1))
                self.add_module(f"top_down{number}", projection)

    def forward(self, images: Images) -> list[Logits]:
        """Compute logits of images [slice, channel, height, width] in [0, 1], with height and width of at least 32.

        With through-plane scans, the slices are those of one scan, from inferior to superior; images of several scans
        with the same number of slices are [scan, slice, channel, height, width].

        Returns:
            Four logit maps (five with `half_width`) [slice, class, height, width], finest last, of all slices of
            all scans; with one class, the mask is sigmoid(last) > 0.5.

        Raises:
            ConfigError: The images have a different shape.
        """
        slices = 1
        if images.ndim == 5:
            slices, images = images.shape[1], images.flatten(0, 1)
        elif self.config.sees_whole_scan:
            slices = len(images)
        return run_padded(
            images, lambda padded: self._at_input_size(padded, slices), self.config.input_channels
        )

    def _at_input_size(self, images: Images, slices: int) -> list[Logits]:
        size = (images.shape[-2], images.shape[-1])
        maps = self.maps(images, slices)
        return [resize(logits, size) for logits in maps[-self.maps_returned :]]

    def maps(self, images: Images, slices: int = 1) -> list[Logits]:
        """Logit maps at 1/32, 1/16, 1/8, 1/4 (and 1/2); height and width must be multiples of 32."""
        half, quarter = self.encoder.stem(images)
        levels = [
            self._decoder_input(level, x, slices)
            for level, x in enumerate(self.encoder.features(quarter, slices), start=1)
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

    def _decoder_input(self, level: int, x: Features, slices: int) -> Features:
        """Features of an encoder level, in the width of the decoder and with through-plane context."""
        x = self.get_submodule(f"translayer{level}_st")(self.get_submodule(f"st_block{level}")(x))
        context = self.get_submodule(f"through_plane{level}")
        out: Features = context(x.permute(0, 2, 3, 1), slices).permute(0, 3, 1, 2)
        return out
