"""Base class of the settings of all segmentation networks."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from rma_mamba.label_scheme import MAX_CLASSES


class NetworkConfig(BaseModel):
    """Settings that all segmentation networks share."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    classes: int = Field(default=1, ge=1, le=MAX_CLASSES)
    """Channels of each logit map: one per class of the recipe's `labels`, which sets it."""

    input_channels: int = Field(default=3, ge=3)
    """Channels of the input, three for each scan of a case, and further ones that the slice recipe adds: the recipe
    sets it."""
