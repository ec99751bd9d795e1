"""Transformer layers on a feature map, for TransNetR and TransResUNet."""

from __future__ import annotations

from typing import Literal, TypeAlias

from torch import nn

from rma_mamba.shapes import Features

AttentionOver: TypeAlias = Literal["tokens", "batch"]


class TokenTransformer(nn.Module):
    """Two transformer layers (arXiv:1706.03762; normalised after the sum, ReLU, dropout 0.1) on patches of a map.

    Over tokens: a token is a patch of `patch` x `patch` places with all its channels, and attends to the tokens of
    its own slice; any size works.

    Over the batch: as the networks were released. Their layer takes [slice, row, value] for [token, batch, value], so
    that each row attends to the same row of the other slices: a slice's mask depends on its neighbours in the batch,
    and a slice alone attends to itself only. A row is `channels * patch**2` values of the map in the order of
    storage; for a 256x256 image and the released widths this is the released network, whose parameters it has.

    Args:
        channels: Of the map.
        patch: Side of a token's patch, in places of the map; divides height and width.
        heads: Of the attention; divides `channels * patch**2`.
        hidden: Width between the two layers of the feed-forward part.
        over: What attends to what.
    """

    def __init__(
        self, channels: int, *, patch: int, heads: int, hidden: int, over: AttentionOver
    ) -> None:
        super().__init__()
        self.patch = patch
        self.width = channels * patch**2
        self.over = over
        self.layers = nn.Sequential(
            *(
                nn.TransformerEncoderLayer(self.width, heads, hidden, batch_first=True)
                for _ in range(2)
            )
        )

    def forward(self, x: Features) -> Features:
        """Features to features of the same shape."""
        return self._over_batch(x) if self.over == "batch" else self._over_tokens(x)

    def _over_tokens(self, x: Features) -> Features:
        size = x.shape[-2:]
        patches = nn.functional.unfold(x, self.patch, stride=self.patch)
        patches = self.layers(patches.transpose(1, 2)).transpose(1, 2)
        return nn.functional.fold(patches, size, self.patch, stride=self.patch)

    def _over_batch(self, x: Features) -> Features:
        rows = x.reshape(len(x), -1, self.width).transpose(0, 1)
        out: Features = self.layers(rows).transpose(0, 1).reshape(x.shape)
        return out
