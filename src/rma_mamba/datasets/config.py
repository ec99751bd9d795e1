"""The `[data]` table of a recipe: data sources, splits, phantoms, augmentation and sampling."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from rma_mamba.datasets.augment_config import AugmentConfig
from rma_mamba.datasets.channel_files import channel_folder
from rma_mamba.datasets.settings import Positive, Probability, Settings
from rma_mamba.datasets.splits import SplitConfig, SplitName
from rma_mamba.deprecation import with_renamed_keys
from rma_mamba.label_scheme import LabelScheme
from rma_mamba.slicing import Intensity, SliceRecipe
from rma_mamba.slicing.recipe import ChannelName
from rma_mamba.volume import Modality

RENAMED_SOURCE_KEYS = {"cohort": "dataset", "side": "split"}  # old key to current key


class SourceConfig(Settings):
    """A folder of images and the folder of their labels."""

    name: str = Field(min_length=1)
    """Name of the source, as shown in tables. It must be unique."""

    group: str | None = None
    """Sources with the same group are summarised together in tables. None: the source is summarised on its own."""

    kind: Literal["volumes", "slices"]
    """volumes: NIfTI files, one or more per patient. slices: PNG or JPEG files, one axial slice each."""

    images: str
    """Folder of the images, relative to `data.root`. With `channels`, it is the folder of the first one."""

    channels: dict[ChannelName, str] = Field(default={})
    """Several scans of each patient as channels of one case, such as
    `{ T1 = "t1/images", T2 = "t2/images" }`, in place of `images`. Each is a folder, with the same file names in all of
    them, or a folder with a pattern, whose `*` stands for the name of the case:
    `{ T1 = "imagesTr/*_0000.nii.gz", T2 = "imagesTr/*_0001.nii.gz" }`. A case may lack some channels, but all that it
    has are on one grid: for slices, the files of one name have the same size, and all slices of a patient have the same
    channels. `patient` and the labels belong to the name of the case. Empty: one scan per case."""

    resample: bool = False
    """With `channels`: resample the scans of a case to the grid of the first by their positions in mm, if they are on
    different grids, instead of rejecting them. The label is on the grid of the first that the case has."""

    labels: str
    """Folder of the labels, relative to `data.root`. A label has the file name of its image; the file extension may
    differ."""

    files: str = "*"
    """Glob pattern of the image file names to use. Default: all images."""

    patient: str = r"(.+?)(\.nii)?(\.gz)?"
    """Regular expression that matches the whole image file name. Its first group is the patient ID; leading zeros are
    ignored. Default: the file name without .nii or .nii.gz."""

    dataset: str
    """Name of the dataset that the source belongs to. Sources of the same dataset share patient IDs and the splits in
    `data.splits`."""

    split: SplitName | None = None
    """Split of all patients of this source (train, val or test), for datasets with one folder per split. None: as
    defined in `data.splits`."""

    liver: tuple[int, ...] = (1,)
    """Label values of the liver in volumes, for networks that segment the liver alone."""

    classes: dict[str, tuple[int, ...]] = Field(default={})
    """Label values of each class of the recipe's `labels`, such as `{ liver = [1, 2], tumour = [2] }`; other values are
    background, and an empty list means that the source has no voxel of that class. Empty: the values of a label map, 1
    for the first name and 2 for the second."""

    modality: Modality | None = None
    """Modality of volumes: CT or MR. None: read from the header or detected from the intensities. Ignored for slices,
    which are 8-bit images."""

    window_hu: tuple[float, float] | None = None
    """CT that was windowed to 8 bits: Hounsfield units of the grey levels 0 and 255, which are then restored. None:
    unknown, or not windowed."""

    intensity: Intensity | None = None
    """What the grey levels of slices become, in training, validation, testing and `rma-mamba segment`. "stored": 0
    becomes 0 and 255 becomes 1. "scan": percentiles of each slice, as for other scans. None: as
    `data.recipe.grey_levels` or, if that is not set, "stored". It has to be the same for all sources of slices, because
    the weights record one value. Volumes are always "scan". Ignored with `window_hu`."""

    pixel_mm: Positive = 1.5
    """Pixel size of slices in mm, which PNG and JPEG files do not state."""

    quarter_turns: int = Field(default=0, ge=0, le=3)
    """Number of counter-clockwise quarter turns that bring slices into the radiological orientation, with the liver on
    the left of the image."""

    ordered: bool = False
    """Whether the slices of a patient, sorted by file name, are adjacent, so that they can serve as 2.5-D input."""

    mirrored_at_random: bool = False
    """Whether slices were mirrored at random before publication. Slices with the liver on the wrong side are then
    mirrored back; slices without liver are left unchanged."""

    weight: Positive = 1.0
    """Sampling weight of the source within an epoch, relative to the other sources. Only used with
    `data.slices_per_epoch`."""

    @model_validator(mode="before")
    @classmethod
    def _accept_old_keys(cls, data: Any) -> Any:
        return with_renamed_keys(data, RENAMED_SOURCE_KEYS)

    @model_validator(mode="before")
    @classmethod
    def _read_channels(cls, data: Any) -> Any:
        """The folder of the first channel is that of the images."""
        if not isinstance(data, dict) or not isinstance(data.get("channels"), dict):
            return data
        folders = [str(each) for each in data["channels"].values()]
        if not folders:
            return data
        first = channel_folder(folders[0])[0]
        if data.get("images", first) != first:
            raise ValueError(
                f"images is {data['images']} and the first of channels is {folders[0]}; expected one of them"
            )
        return {**data, "images": first}

    @model_validator(mode="after")
    def _check_channels(self) -> Self:
        if self.resample and self.kind != "volumes":
            raise ValueError(
                "resample is set for slices, which state no positions; expected volumes"
            )
        if self.resample and not self.channels:
            raise ValueError("resample is set without channels; expected both or none")
        return self

    @model_validator(mode="after")
    def _check_intensity(self) -> Self:
        if self.kind == "volumes" and self.intensity == "stored":
            raise ValueError(
                'intensity is "stored" for volumes; expected "scan", or kind = "slices"'
            )
        return self

    @property
    def group_name(self) -> str:
        """The group, or the source's own name if it has no group."""
        return self.group or self.name

    @property
    def has_grey_levels(self) -> bool:
        """Whether the intensities are 8-bit grey levels without a known meaning."""
        return self.kind == "slices" and self.window_hu is None

    def class_values(self, scheme: LabelScheme) -> dict[str, tuple[int, ...]]:
        """Label values of each class of a scheme."""
        if self.classes:
            return {name: self.classes[name] for name in scheme.names}
        if scheme.is_liver_only:
            return {scheme.names[0]: self.liver}
        return {name: scheme.values_of(name) for name in scheme.names}


class PhantomConfig(Settings):
    """Synthetic abdominal scans in the training data."""

    count: int = Field(default=0, ge=0)
    """Number of phantoms. They are generated from fixed seeds, so that every training run uses the same ones."""

    liver_shapes: str | None = None
    """Folder of liver masks without images (NIfTI, relative to `data.root`). Each phantom gets the liver of one
    of them, in turn. None: schematic livers."""

    weight: Positive = 0.3
    """Sampling weight of the phantoms within an epoch, relative to the sources."""


class DataConfig(Settings):
    """Data of a training run."""

    root: str = "data"
    """Folder that contains the folders of all sources. A relative path is relative to the working directory."""

    cache: str | None = None
    """Folder in which preprocessed slices are cached as memory-mapped arrays, for this and later training runs. The
    cache contains patient images: protect it like the scans. None: slices are computed for every run and kept in
    memory."""

    recipe: SliceRecipe = SliceRecipe()
    """Preprocessing of scans into network input; stored with the weights."""

    sources: tuple[SourceConfig, ...] = Field(min_length=1)
    """Image and label folders."""

    without_sources: tuple[str, ...] = ()
    """Names of sources that are left out, such as sources of a recipe's base. Splits of datasets that are then without
    a source are left out as well. Empty: all sources are used."""

    splits: dict[str, SplitConfig] = Field(default={})
    """Splits by dataset. Patients that are not listed in a split are used for training."""

    phantoms: PhantomConfig = PhantomConfig()
    """Synthetic scans that are added to the training data."""

    augment: AugmentConfig = AugmentConfig()
    """Random augmentation of training slices."""

    augment_on: Literal["workers", "device"] = "workers"
    """Where slices are augmented. "workers": one by one in the data loader processes, on the CPU. "device": whole
    batches at once on the training device, so that few CPU cores feed a fast GPU. Probabilities and ranges are the
    same, the random numbers are others."""

    crop: int = Field(default=256, ge=32, multiple_of=32)
    """Width and height of training slices in pixels."""

    canvases: tuple[Annotated[int, Field(ge=32, multiple_of=32)], ...] = ()
    """Widths in pixels to which batches are cropped at random positions; each batch draws one. Empty: batches are not
    cropped."""

    stack_depths: tuple[Annotated[int, Field(ge=1)], ...] = ()
    """Numbers of adjacent slices that a network with through-plane context is trained on; each batch draws one, and
    consists of as many stacks as `training.batch_size` permits. Slices of sources that are not ordered are always
    trained on one by one. Empty: 2-D training."""

    slices_per_epoch: int | None = Field(default=None, ge=1)
    """Number of slices drawn per epoch: by weight over sources, then evenly over patients, then evenly over slices.
    None: every slice once."""

    foreground_share: Probability | None = None
    """Share of the training slices that are drawn from the labelled slices only, so that small structures are seen
    often enough (nnU-Net: 0.33); the others are drawn as described at `slices_per_epoch`, which has to be set. With
    `stack_depths`, the share of stacks around a labelled slice. None: no such draws; for stacks, 0.6."""

    foreground_window: bool = False
    """CT: use the 0.5 and 99.5 percentiles of the labelled voxels of all training patients, as nnU-Net does, as the HU
    window of the slice recipe, in place of `data.recipe.ct_window_hu`. It is stored with the weights."""

    validation_slices: int | None = Field(default=None, ge=1)
    """Largest number of validation slices; they are evenly spaced. None: all slices."""

    validation: bool = True
    """Whether patients are held out for validation. False: the validation patients are trained on as well, without
    early stopping, and the weights are those of the last epoch; only test patients are held out."""

    @model_validator(mode="before")
    @classmethod
    def _leave_out_sources(cls, data: Any) -> Any:
        if not isinstance(data, dict) or not data.get("without_sources"):
            return data
        sources = [dict(each) for each in data.get("sources", ())]
        without = set(data["without_sources"])
        if unknown := without - {each.get("name") for each in sources}:
            names = ", ".join(str(each.get("name")) for each in sources)
            raise ValueError(
                f"without_sources contains {sorted(unknown)}; expected names of sources: {names}"
            )
        kept = [each for each in sources if each.get("name") not in without]
        gone = {each.get("dataset") for each in sources} - {each.get("dataset") for each in kept}
        splits = {name: each for name, each in data.get("splits", {}).items() if name not in gone}
        return {**data, "sources": kept, "splits": splits, "without_sources": ()}

    @model_validator(mode="after")
    def _check_consistency(self) -> Self:
        names = [source.name for source in self.sources]
        if len(set(names)) < len(names):
            raise ValueError(f"two sources have the same name; expected unique names: {names}")
        if max(self.canvases, default=0) > self.crop:
            raise ValueError(
                f"canvases are {self.canvases}; expected at most {self.crop}, the crop size"
            )
        unknown = set(self.splits) - {source.dataset for source in self.sources}
        if unknown:
            raise ValueError(
                f"splits of unknown datasets {sorted(unknown)}; expected datasets of sources"
            )
        self._check_classes()
        if self.foreground_share is not None and not (self.slices_per_epoch or self.stack_depths):
            raise ValueError(
                f"foreground_share is {self.foreground_share}, but slices_per_epoch is not set; expected the number of "
                "slices to draw"
            )
        self._set_channel_names()
        # frozen settings: what the sources determine is part of the recipe that is stored with the weights
        grey_levels = self._grey_levels()
        if grey_levels != self.recipe.grey_levels:
            recipe = self.recipe.model_copy(update={"grey_levels": grey_levels})
            object.__setattr__(self, "recipe", recipe)
        return self

    def _grey_levels(self) -> Intensity:
        """The intensity mapping of all slices."""
        stated = "grey_levels" in self.recipe.model_fields_set
        default: Intensity = self.recipe.grey_levels if stated else "stored"
        slices = [source for source in self.sources if source.has_grey_levels]
        found = {source.name: source.intensity or default for source in slices}
        used = {*found.values(), *({default} if stated else ())}
        if len(used) > 1:
            raise ValueError(
                f"the intensity of slices is {found}, and recipe.grey_levels is {self.recipe.grey_levels}; expected "
                "one value for all, because the weights record one"
            )
        return used.pop() if used else "scan"

    def _set_channel_names(self) -> None:
        """The channels of the network: those of the recipe, else all channels of the sources in their order."""
        found = tuple(dict.fromkeys(name for source in self.sources for name in source.channels))
        names = self.recipe.channel_names or found
        if not names:
            return
        without = [source.name for source in self.sources if not source.channels]
        if without:
            raise ValueError(
                f"source {without[0]} has no channels, and those of the network are {[*names]}; expected channels of "
                f"every source, such as channels = {{ {names[0]} = FOLDER }}"
            )
        if unknown := [name for name in found if name not in names]:
            raise ValueError(
                f"a source has the channel {unknown[0]}; expected some of recipe.channel_names: {[*names]}"
            )
        if self.phantoms.count:
            raise ValueError(
                f"phantoms.count is {self.phantoms.count}, and the channels are {[*names]}; expected 0, because "
                "phantoms are single scans"
            )
        if names != self.recipe.channel_names:
            recipe = SliceRecipe.model_validate(
                {**self.recipe.model_dump(), "channel_names": names}
            )
            object.__setattr__(self, "recipe", recipe)

    def _check_classes(self) -> None:
        scheme = self.recipe.labels
        for source in self.sources:
            if source.classes and not {*scheme.names} <= {*source.classes}:
                raise ValueError(
                    f"the classes of source {source.name} are {[*source.classes]}; expected all of labels: "
                    f"{[*scheme.names]}"
                )
        if self.phantoms.count and not scheme.is_liver_only:
            raise ValueError(
                f"phantoms.count is {self.phantoms.count}, and labels are {[*scheme.names]}; expected 0, because "
                "phantoms are labelled for the liver alone"
            )
