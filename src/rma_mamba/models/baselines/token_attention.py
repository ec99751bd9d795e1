"""Transformer layers on feature maps, for TransNetR and TransResUNet."""

from __future__ import annotations

from typing import Literal, TypeAlias

from torch import nn

from rma_mamba.shapes import Features

AttentionOver: TypeAlias = Literal["tokens", "batch"]


class TokenTransformer(nn.Module):
    """Two transformer layers (arXiv:1706.03762; post-norm, ReLU, dropout 0.1) on patches of a feature map.

    Over tokens: a token is a patch of `patch` x `patch` positions with all its channels and attends to the tokens of
    the same slice. Any image size works.

    Over the batch, as in the released networks: their layer interprets [slice, row, value] as [token, batch, value], so
    that each row attends to the same row of the other slices. The mask of a slice then depends on the other slices of
    the batch, and a single slice attends only to itself. A row is `channels * patch**2` values of the feature map in
    memory order. For 256x256 images and the released widths this is exactly the released network.

    Args:
        channels: Channels of the feature map.
        patch: Side of a patch in positions; divides height and width.
        heads: Attention heads; their number divides `channels * patch**2`.
        hidden: Width of the feed-forward part.
        over: Attend over "tokens" or over the "batch".
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
        """Feature map to a feature map of the same shape."""
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
