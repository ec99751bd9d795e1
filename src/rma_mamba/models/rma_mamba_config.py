"""Settings of RMA-Mamba, without torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rma_mamba.models.encoder_config import Count, VMambaConfig
from rma_mamba.models.network_config import NetworkConfig


class RMAMambaConfig(NetworkConfig, VMambaConfig):
    """Settings of the network, in addition to those of the encoder."""

    extra_blocks: int = Field(default=0, ge=0)
    """VSS blocks per level between encoder and decoder (N in the paper: 0 in T, 1 in S)."""

    attention: Literal["rma", "ra"] = "rma"
    """Reverse attention with VSS blocks (rma) or without them (ra, the paper's ablation)."""

    decoder_width: int = Field(default=32, ge=1)
    """Channels of every feature map in the decoder."""

    decoder_drop_path: float = Field(default=0.1, ge=0, lt=1)
    """Stochastic depth in every VSS block of the decoder."""

    half_width: int = Field(default=0, ge=0)
    """Channels of an additional reverse attention at half resolution, on the features of the stem and without VSS
    blocks. 0 disables it, as in the paper, whose finest logit map has a quarter of the input resolution."""

    top_down: bool = False
    """Pass the refined features of each level to the next finer one, as in feature pyramids (arXiv:1612.03144). In the
    paper, only the logit map is passed on."""

    decoder_local: int = Field(default=0, ge=0)
    """Hidden channels of a residual convolution before the reverse attention of every level. 0 disables it, as in the
    paper, whose decoder has no nonlinearity outside the VSS blocks."""

    decoder_through_plane: tuple[Count, Count, Count, Count] = (0, 0, 0, 0)
    """Selective scans along the slices of a scan in the decoder, at 1/4, 1/8, 1/16 and 1/32. The paper has none."""

    @property
    def sees_whole_scan(self) -> bool:
        """Whether the result of a slice depends on the other slices of its scan."""
        return any(self.through_plane) or any(self.decoder_through_plane)
