"""What the network is shown of a scan, as one frozen setting that travels with the weights."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from rma_mamba.conventions import ABDOMEN_WINDOW_HU

Finite = Annotated[float, Field(allow_inf_nan=False)]


class SliceRecipe(BaseModel):
    """How a scan becomes slices, and logits become its mask."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    size: int = Field(default=256, ge=32, multiple_of=32)
    """Side of the smallest canvas in pixels; a multiple of 32. A larger field of view gets a larger canvas."""

    spacing_mm: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = 1.5
    """In-plane pixel size that the network sees. None: the longer side of the field of view is fitted to
    `size`, as in the paper; physical proportions are kept. "fit" stands for None, which TOML does not have."""

    magnifications: tuple[Annotated[float, Field(ge=0.5, le=2)], ...] = Field(
        default=(1.0,), min_length=1
    )
    """In-plane magnifications at which the network sees each slice of a scan; probabilities are averaged.
    The first one alone is used where speed counts. Training knows none of it."""

    neighbours: bool = False
    """False: the three channels hold the slice itself three times (the paper). True: the slice below, the
    slice and the slice above (2.5-D); at the ends of the scan the edge slice repeats itself."""

    ct_window_hu: tuple[Finite, Finite] = ABDOMEN_WINDOW_HU
    """Hounsfield units that become 0 and 1 in CT."""

    mr_percentiles: tuple[Finite, Finite] = (0.5, 99.5)
    """Percentiles that become 0 (of all voxels) and 1 (of the voxels inside the body) in MR."""

    threshold: float = Field(default=0.5, gt=0, lt=1)
    """Probability above which a voxel of the scan is liver."""

    @field_validator("spacing_mm", mode="before")
    @classmethod
    def _fit_is_none(cls, value: object) -> object:
        return None if value == "fit" else value

    @model_validator(mode="after")
    def _ranges_ascend(self) -> Self:
        if not self.ct_window_hu[0] < self.ct_window_hu[1]:
            raise ValueError(
                f"ct_window_hu is {self.ct_window_hu}; expected a lower, then a higher HU"
            )
        low, high = self.mr_percentiles
        if not 0 <= low < high <= 100:
            raise ValueError(
                f"mr_percentiles are {self.mr_percentiles}; expected 0 <= low < high <= 100"
            )
        return self
