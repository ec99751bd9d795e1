"""Several trained networks as one: their probabilities are averaged, pixel by pixel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn.functional import logsigmoid


class MemberConfig(BaseModel):
    """One network of an ensemble."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    model: str
    """Name of the network, as listed by `rma-mamba info`."""

    settings: dict[str, Any] = Field(default={})
    """Changes to the preset of that name. Empty: the preset."""


class EnsembleConfig(BaseModel):
    """The networks of an ensemble."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    members: tuple[MemberConfig, ...] = Field(min_length=1)
    """The networks. They may differ, but all see the same slices."""

    exclusive: bool = False
    """Whether the logit maps are those of exclusive classes, which share a softmax with a background of logit 0."""


class Ensemble(nn.Module):
    """Networks whose probabilities are averaged.

    Args:
        members: Networks with the same input; each maps images to a list of logits, highest resolution last.
        exclusive: Whether the logit maps are those of exclusive classes.
    """

    def __init__(self, members: Sequence[nn.Module], *, exclusive: bool = False) -> None:
        super().__init__()
        self.mean = mean_softmax_logits if exclusive else mean_probability_logits
        self.members = nn.ModuleList(members)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Logits of the mean probability, float32, highest resolution last.

        Maps of lower resolution are averaged as far as all members have them, in the same shape.
        """
        outputs: list[list[Tensor]] = [member(images) for member in self.members]
        averaged: list[Tensor] = []
        for maps in zip(*(reversed(each) for each in outputs), strict=False):
            if len({each.shape for each in maps}) > 1:
                break
            averaged.insert(0, self.mean(torch.stack(maps).float()))
        return averaged


def mean_probability_logits(logits: Tensor) -> Tensor:
    """The logits of the mean of the probabilities, over the first dimension.

    Computed from logarithms, so that a certain network does not give an infinite logit.
    """
    count = math.log(len(logits))
    inside = torch.logsumexp(logsigmoid(logits), 0) - count
    outside = torch.logsumexp(logsigmoid(-logits), 0) - count
    return inside - outside


def mean_softmax_logits(logits: Tensor) -> Tensor:
    """The logits of the mean of the probabilities of exclusive classes, over the first dimension.

    Args:
        logits: [network, slice, class, height, width], relative to the background, whose logit is 0.
    """
    background = torch.zeros_like(logits[:, :, :1])
    shares = torch.cat([background, logits], 2).log_softmax(2).logsumexp(0)
    return shares[:, 1:] - shares[:, :1]
