"""What a recipe says about data: where it lies, who is on which side of the split, how it is changed."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rma_mamba.slicing import SliceRecipe
from rma_mamba.volume import Modality

Probability = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Side = Literal["train", "valid", "test"]


class Settings(BaseModel):
    """Base of everything that a recipe configures: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class SourceConfig(Settings):
    """One folder of images and the folder of their labels."""

    name: str = Field(min_length=1)
    """Shown in tables."""

    group: str | None = None
    """Name under which tables sum up several sources; None: the source alone."""

    kind: Literal["volumes", "slices"]
    """volumes: one NIfTI file a patient; slices: PNG or JPG files, one axial slice each."""

    images: str
    """Folder of the images, below the data's root."""

    labels: str
    """Folder of the labels: files of the same names (slices: of the same names up to the ending)."""

    files: str = "*"
    """Pattern that the names of the image files match."""

    patient: str = r"(.+?)(\.nii)?(\.gz)?"
    """Regular expression over the whole file name; its first group is the patient's number. Leading
    zeros do not count."""

    cohort: str
    """Sources of one cohort share their patients and the split of these."""

    side: Side | None = None
    """Side of the split of all its patients, where a dataset has a folder for each; None: as the
    cohort's split says."""

    liver: tuple[int, ...] = (1,)
    """Label values that are liver (volumes)."""

    modality: Modality | None = None
    """None: told from the values. Slices are 8-bit grey values, and need none."""

    pixel_mm: Positive = 1.5
    """Pixel size of slices, which carry none."""

    quarter_turns: int = Field(default=0, ge=0, le=3)
    """Counter-clockwise quarter turns that bring a slice upright, the liver on the left of the picture."""

    ordered: bool = False
    """Slices of one patient, sorted by name, lie on top of each other, so that they have neighbours."""

    mirrored_at_random: bool = False
    """Whether the publisher mirrored slices at random: then the side on which the label has the liver
    tells, and the slice is mirrored back. One without liver stays as it is."""

    weight: Positive = 1.0
    """Share of an epoch's slices, relative to the other sources."""

    @property
    def summed_as(self) -> str:
        """Name of its line in sums."""
        return self.group or self.name


class SplitConfig(Settings):
    """Patients of a cohort that are not trained on."""

    valid: tuple[str, ...] = ()
    """Patients that decide when to stop and which epoch is the best."""

    test: tuple[str, ...] = ()
    """Patients that are only ever scored; "*" stands for all others."""

    folds: int | None = Field(default=None, ge=2)
    """Cross-validation: all patients but those of `test` are spread over so many folds, and `fold` says which
    of them validates; None: `valid` names the patients."""

    fold: int = Field(default=0, ge=0)
    """The fold that validates, from 0."""

    seed: int = Field(default=0, ge=0)
    """Another seed spreads the patients in another way."""

    published: tuple[tuple[str, ...], ...] = ()
    """Patients that validate in each fold, where a dataset publishes its folds; instead of `folds`."""

    @model_validator(mode="after")
    def _one_way_to_validate(self) -> Self:
        ways = [bool(self.valid), self.folds is not None, bool(self.published)]
        if sum(ways) > 1:
            raise ValueError(
                "more than one of valid, folds and published is given; expected one of them"
            )
        count = self.folds or len(self.published) or 1
        if self.fold >= count:
            raise ValueError(
                f"fold is {self.fold}; expected less than {count}, the number of folds"
            )
        return self

    @model_validator(mode="after")
    def _nobody_on_two_sides(self) -> Self:
        valid = {normalised(each) for part in (self.valid, *self.published) for each in part}
        both = valid & {normalised(each) for each in self.test}
        if both:
            raise ValueError(f"patients {sorted(both)} are on both sides; expected one")
        return self

    def side(self, patient: str) -> Side:
        """On which side a patient is named; `folds` are dealt out elsewhere, among all of the cohort."""
        valid = self.published[self.fold] if self.published else self.valid
        if patient in {normalised(each) for each in valid}:
            return "valid"
        tested = {normalised(each) for each in self.test}
        return "test" if patient in tested or "*" in tested else "train"


class PhantomConfig(Settings):
    """Synthetic abdomens among the training data."""

    count: int = Field(default=0, ge=0)
    """How many; they are made anew, with the same seeds, for every training."""

    weight: Positive = 0.3
    """Share of an epoch's slices, as for the sources."""


class AugmentConfig(Settings):
    """Random changes of a training slice; each with its probability. The defaults change nothing."""

    rotation_degrees: float = Field(default=0, ge=0, le=180)
    """Largest rotation to either side."""

    scale: tuple[Positive, Positive] = (1.0, 1.0)
    """Smallest and largest magnification."""

    shear: float = Field(default=0, ge=0, le=1)
    """Largest shear."""

    shift: float = Field(default=0, ge=0, le=1)
    """Largest shift, as a share of the crop's side."""

    elastic: float = Field(default=0, ge=0, le=0.1)
    """Size of smooth elastic displacements (standard deviation), as a share of the crop's side."""

    spatial: Probability = 0
    """Probability of rotation, scale, shear, shift and elastic displacements together, in one interpolation."""

    rotation: Probability = 0
    """Probability of a rotation alone (the paper: 0.3)."""

    horizontal_flip: Probability = 0
    """Probability (the paper: 0.3). Mirrors the patient."""

    vertical_flip: Probability = 0
    """Probability (the paper: 0.3)."""

    cut_outs: Probability = 0
    """Probability of up to ten black squares of at most 32 pixels (the paper's code: 0.3)."""

    tissue_contrast: Probability = 0
    """Probability that every organ with a label gets a random brightness, and everything else a random curve:
    anatomy in a contrast that no scanner made, so that the network learns shapes and not grey values."""

    liver_contrast: Probability = 0
    """Probability that the liver becomes far darker or brighter (iron, fat, contrast agent)."""

    lesions: Probability = 0
    """Probability of blobs of another brightness inside the liver."""

    inversion: Probability = 0
    """Probability that dark and bright are exchanged."""

    histogram: Probability = 0
    """Probability of a random monotone curve over the grey values."""

    gamma: Probability = 0
    """Probability of a gamma between 0.6 and 1.7."""

    window: Probability = 0
    """Probability of another window: contrast and brightness."""

    bias_field: Probability = 0
    """Probability of a smooth change of brightness, as of an MR coil."""

    noise: Probability = 0
    """Probability of Gaussian noise."""

    blur: Probability = 0
    """Probability of Gaussian blur."""

    low_resolution: Probability = 0
    """Probability of a coarser image, resampled."""

    single_slice: Probability = 0
    """Probability that a slice's neighbours are replaced by itself, in a 2.5-D network."""

    neighbours_reach_mm: float = Field(default=0, ge=0, le=50)
    """Neighbours of a slice are drawn up to this distance instead of being the adjacent ones."""


class DataConfig(Settings):
    """The data of a training."""

    root: str = "data"
    """Folder that the sources lie in; relative to where the command runs."""

    cache: str | None = None
    """Folder in which slices on the network's canvas are kept as memory-mapped arrays, for this training and
    later ones; None: they are made anew each time and fill the memory. It holds what the scans hold."""

    recipe: SliceRecipe = SliceRecipe()
    """What the network is shown; it travels with the weights."""

    sources: tuple[SourceConfig, ...] = Field(min_length=1)
    """Where images and labels lie."""

    splits: dict[str, SplitConfig] = {}
    """By cohort; patients that no split names are trained on."""

    phantoms: PhantomConfig = PhantomConfig()
    """Synthetic abdomens that are trained on beside the sources."""

    augment: AugmentConfig = AugmentConfig()
    """Random changes in training."""

    crop: int = Field(default=256, ge=32, multiple_of=32)
    """Side of a training slice in pixels."""

    canvases: tuple[Annotated[int, Field(ge=32, multiple_of=32)], ...] = ()
    """Sides of which each batch draws one: its slices are cut to it at a random place. None: the crop's."""

    slices_per_epoch: int | None = Field(default=None, ge=1)
    """Drawn evenly over sources, then patients, then slices. None: every slice once."""

    validation_slices: int | None = Field(default=None, ge=1)
    """At most so many slices are validated on, evenly spaced; None: all."""

    @model_validator(mode="after")
    def _names_fit(self) -> Self:
        names = [source.name for source in self.sources]
        if len(set(names)) < len(names):
            raise ValueError(f"two sources have one name; expected different names: {names}")
        if max(self.canvases, default=0) > self.crop:
            raise ValueError(
                f"the canvases are {self.canvases}; expected none above {self.crop}, the crop"
            )
        lost = set(self.splits) - {source.cohort for source in self.sources}
        if lost:
            raise ValueError(f"splits of unknown cohorts {sorted(lost)}; no source has them")
        return self


def normalised(patient: str) -> str:
    """A patient's number without leading zeros."""
    return patient.lstrip("0") or "0"
