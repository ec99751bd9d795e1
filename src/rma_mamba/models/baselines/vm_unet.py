"""VM-UNet (arXiv:2402.02491): a U-Net of VMamba v0 blocks with additive skip connections.

The authors' code ends in a sigmoid; this network returns logits.
"""

from __future__ import annotations

from collections import OrderedDict

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


class VMUNetConfig(NetworkConfig):
    """Settings of the network."""

    width: int = Field(default=96, ge=4, multiple_of=4)
    """Channels at a quarter of the input resolution; doubled at each coarser level."""

    depths: Depths = (2, 2, 2, 2)
    """VSS blocks in the four encoder stages, finest first."""

    decoder_depths: Depths = (2, 2, 2, 1)
    """VSS blocks in the four decoder stages, coarsest first."""

    drop_path: float = Field(default=0.3, ge=0, lt=1)
    """Stochastic depth rate of the deepest blocks of encoder and decoder; decreases linearly to 0 at the finest."""


class VMUNet(SingleOutput):
    """Maps images to one logit map of the same size."""

    def __init__(self, config: VMUNetConfig) -> None:
        super().__init__(config)
        width = config.width
        self.encoder = VSSEncoder(width, config.depths, config.drop_path, config.input_channels)
        finest_first = linear_drop_paths(config.drop_path, config.decoder_depths[::-1])
        self.layers_up = nn.ModuleList()
        for level, drop_paths in reversed(list(enumerate(finest_first))):
            channels = width * 2**level
            parts: OrderedDict[str, nn.Module] = OrderedDict()
            if len(self.layers_up):
                parts["upsample"] = PatchExpand(2 * channels, channels)
            parts["blocks"] = vss_blocks(channels, drop_paths[::-1])
            self.layers_up.append(nn.Sequential(parts))
        self.final_up = PatchExpand(width, width // 4, scale=4)
        self.final_conv = nn.Conv2d(width // 4, config.classes, 1)
        self.apply(init_linear)

    def _logits(self, images: Images) -> Logits:
        x, skips = self.encoder(images)
        deepest, *finer = self.layers_up
        x = deepest(x)
        for stage in finer:
            x = stage(x + skips.pop())
        out: Logits = self.final_conv(self.final_up(x).permute(0, 3, 1, 2))
        return out

    def translate_weights(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Rename the tensors of a VMamba v0 file or of the authors' (see `vmamba_v0_weights`)."""
        return translate(self, state, released_prefixes("vmunet"))
