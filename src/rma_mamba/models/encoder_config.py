"""Settings of the encoder, without torch."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

Positive = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=0)]


class VMambaConfig(BaseModel):
    """Settings of the encoder."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    width: int = Field(default=96, ge=2, multiple_of=2)
    """Channels of the first feature map; doubled at each following stage."""

    depths: tuple[Positive, Positive, Positive, Positive] = (2, 2, 5, 2)
    """VSS blocks in each of the four stages."""

    drop_path: float = Field(default=0.2, ge=0, lt=1)
    """Stochastic depth rate of the last block; increases linearly from 0."""

    states: int = Field(default=1, ge=1)
    """State size per channel in every VSS block."""

    scan_expansion: Literal[1, 2] = 2
    """Channels of the selective scans, as a multiple of the block's width: s in the names of VMamba's variants. The
    paper has VMamba-T s2l5, with 2 and 5 blocks in the third stage; VMamba's current VMamba-T is s1l8, with 1 and 8."""

    local_blocks: tuple[Count, Count, Count, Count, Count] = (0, 0, 0, 0, 0)
    """Residual convolutions at 1/2, 1/4, 1/8, 1/16 and 1/32, before the VSS blocks of that resolution. VMamba has none
    and learns locality from many images; a few patients are not enough for that. Three values, as in older weights
    files, mean none at 1/16 and 1/32."""

    local_hidden: tuple[Positive, Positive, Positive, Positive, Positive] = (64, 128, 128, 128, 128)
    """Hidden channels of these convolutions at each resolution."""

    input_channels: int = Field(default=3, ge=3)
    """Channels of the input: three for each scan of a case, and further ones that the slice recipe adds."""

    through_plane: tuple[Count, Count, Count, Count] = (0, 0, 0, 0)
    """Selective scans along the slices of a scan at 1/4, 1/8, 1/16 and 1/32, after the VSS blocks of that resolution.
    The paper has none: each slice is segmented on its own."""

    @field_validator("local_blocks", "local_hidden", mode="before")
    @classmethod
    def _extend_three_values(cls, values: Any, info: ValidationInfo) -> Any:
        """Older weights files describe 1/2, 1/4 and 1/8 only."""
        if isinstance(values, list | tuple) and len(values) == 3:
            return (*values, *cls.model_fields[str(info.field_name)].default[3:])
        return values
