"""The slice recipe, stored with the weights: how a scan is converted to network input."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from rma_mamba.conventions import ABDOMEN_WINDOW_HU
from rma_mamba.deprecation import warn_renamed, with_renamed_keys
from rma_mamba.label_scheme import LabelScheme

RENAMED_FIELDS = {"magnifications": "tta_scales"}  # old name to new name

NONE_WORDS = ("none", "None", "null")  # in recipes and overrides: TOML has no null

# How the intensities of an image become the network's input; see `SliceRecipe.grey_levels`.
Intensity = Literal["scan", "stored"]

Finite = Annotated[float, Field(allow_inf_nan=False)]

MAX_SCANS = 8  # scans of a patient that are channels of one network
# A name that can be part of a file name, and stands before "=" on the command line.
ChannelName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.+-]{0,39}$")]


class SliceRecipe(BaseModel):
    """How a scan becomes slices, and how logits become its mask.

    Example:
        >>> SliceRecipe(spacing_mm=2.0, neighbours=True).ct_window_hu
        (-160.0, 240.0)
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    size: int = Field(default=256, ge=32, multiple_of=32)
    """Smallest side of the canvas in pixels, a multiple of 32. A larger field of view gets a larger canvas."""

    spacing_mm: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = 1.5
    """In-plane pixel size of the network input. None: the longer side of the field of view is fitted to `size`, as
    in the paper, with physical proportions kept. In TOML, which has no None, write "fit"."""

    tta_scales: tuple[Annotated[float, Field(ge=0.5, le=2)], ...] = Field(
        default=(1.0,), min_length=1
    )
    """Test-time augmentation: in-plane scales at which each slice is segmented; the probabilities are averaged.
    `--fast` uses the first scale only. Training does not use them."""

    neighbours: bool = False
    """False: each of the three channels holds the slice itself (as in the paper). True: the slice below, the slice
    and the slice above (2.5-D); at the first and the last slice of the scan the missing neighbour is replaced by the
    slice itself."""

    ct_window_hu: tuple[Finite, Finite] = ABDOMEN_WINDOW_HU
    """CT: Hounsfield units that become 0 and 1."""

    mr_percentiles: tuple[Finite, Finite] = (0.5, 99.5)
    """MR: percentiles of intensity that become 0 (of all voxels) and 1 (of the voxels inside the body)."""

    mr_headroom: float = Field(default=0, ge=0, le=2)
    """MR: range above the upper percentile that is kept, as a fraction of the range below it, so that bright livers are
    not saturated. Intensities above the middle of the scale are compressed to make room. 0: none."""

    grey_levels: Intensity = "scan"
    """What 8-bit images (PNG, JPEG) become. "scan": they are scaled like every other scan, by percentiles or the CT
    window. "stored": grey level 0 becomes 0 and 255 becomes 1. Training on PNG or JPEG slices sets it to the
    `intensity` of their sources, and validation, testing and `rma-mamba segment` follow the weights."""

    modality_plane: bool = False
    """Whether a fourth input channel states that intensities are Hounsfield units: 1 for CT in HU, 0 for everything
    else. Other CT is then scaled by percentiles, as MR is."""

    through_plane_mm: Annotated[float, Field(gt=0, le=20)] | None = None
    """Slice spacing, approximately, of the network's input; thinner slices are segmented as several interleaved
    stacks. None: the network segments each slice on its own."""

    threshold: float = Field(default=0.5, gt=0, lt=1)
    """Probability above which a voxel is labelled liver."""

    labels: LabelScheme = LabelScheme()
    """The classes that the network segments."""

    channel_names: tuple[ChannelName, ...] = Field(default=(), max_length=MAX_SCANS)
    """Names of the scans of a patient that are the network's channels, such as `["T1", "T2"]` or the phases of a CT, on
    one grid. Each of them has the three channels of a single scan; a missing one is black. Empty: a single scan; or,
    in training, the `channels` of the sources in their order."""

    @model_serializer(mode="wrap")
    def _without_new_defaults(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out grey levels that are not set, the labels of a network for the liver alone, and the channels of
        one for a single scan: such a recipe is the same as before they existed."""
        content: dict[str, Any] = handler(self)
        if self.grey_levels == "scan" and "grey_levels" not in self.model_fields_set:
            content.pop("grey_levels", None)
        if self.labels == LabelScheme():
            content.pop("labels", None)
        if not self.channel_names:
            content.pop("channel_names", None)
        return content

    @model_validator(mode="before")
    @classmethod
    def _accept_old_names(cls, data: object) -> object:
        return with_renamed_keys(data, RENAMED_FIELDS)

    @property
    def magnifications(self) -> tuple[float, ...]:
        """Deprecated name of `tta_scales`."""
        warn_renamed("SliceRecipe.magnifications", "SliceRecipe.tta_scales")
        return self.tta_scales

    @property
    def channels(self) -> int:
        """Number of input channels."""
        return 3 * max(1, len(self.channel_names)) + int(self.modality_plane)

    @field_validator("spacing_mm", "through_plane_mm", mode="before")
    @classmethod
    def _accept_none(cls, value: object, info: ValidationInfo) -> object:
        words = (*NONE_WORDS, "fit") if info.field_name == "spacing_mm" else NONE_WORDS
        return None if value in words else value

    @model_validator(mode="after")
    def _check_ranges(self) -> Self:
        if not self.ct_window_hu[0] < self.ct_window_hu[1]:
            raise ValueError(f"ct_window_hu is {self.ct_window_hu}; expected the lower HU first")
        if len({name.lower() for name in self.channel_names}) < len(self.channel_names):
            raise ValueError(
                f"two channels have the same name; expected unique names: {self.channel_names}"
            )
        low, high = self.mr_percentiles
        if not 0 <= low < high <= 100:
            raise ValueError(
                f"mr_percentiles are {self.mr_percentiles}; expected 0 <= low < high <= 100"
            )
        return self
