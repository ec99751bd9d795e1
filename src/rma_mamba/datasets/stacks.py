"""Stacks of adjacent slices for networks with through-plane context."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from rma_mamba.datasets.cases import Case
from rma_mamba.datasets.slices import (
    Sample,
    images_of,
    labels_of,
    present_scans,
    raw_sample,
    with_black,
    with_modality_plane,
)
from rma_mamba.slicing import SliceRecipe
from rma_mamba.slicing.intensity_scale import compress_highlights
from rma_mamba.slicing.stack import slice_step

# "image": float32 [slice, channel, height, width]; "label": float32 [slice, class, height, width].
# Before the transform: "image" [slice, height, width] and labels as in `slices`, with slices in place of channels.

_SPACING_MM = (0.7, 1.6)  # of a stack, relative to that of the recipe
FOREGROUND_SHARE = 0.6  # of the stacks that are known to contain liver; the others are anywhere
_HU_SHARE = 0.7  # of the stacks of calibrated CT; the others imitate CT with unknown windowing


class StackDraw(NamedTuple):
    """Request for a stack with a given random state.

    Args:
        case: Number of the case.
        depth: Number of slices.
        entropy: Seed of position, slice spacing and augmentation.
    """

    case: int
    depth: int
    entropy: tuple[int, ...] = ()


class StackDataset(Dataset[Sample]):
    """Stacks of adjacent slices of the cases, at random positions and with random slice spacing.

    Args:
        cases: The cases.
        recipe: Preprocessing of the network: neighbours, modality plane and slice spacing.
        transform: Applied to every stack, depending on whether it is calibrated CT; None: stacks are raw, as
            `raw_sample` returns them, with "hounsfield" and "compressed" as `DeviceStackAugmentation` needs them.
        foreground_share: Share of the stacks that are placed around a labelled slice; the others are anywhere.
        channel_dropout: Probability that each scan of a case with several is left out.
        raw_side: Side of raw stacks in pixels.
    """

    def __init__(
        self,
        cases: Sequence[Case],
        recipe: SliceRecipe,
        transform: Callable[[bool], Any] | None,
        foreground_share: float | None = None,
        channel_dropout: float = 0.0,
        raw_side: int = 0,
    ) -> None:
        self.cases, self.recipe, self.raw_side = cases, recipe, raw_side
        self.share = FOREGROUND_SHARE if foreground_share is None else foreground_share
        self.channel_dropout = channel_dropout
        self.transforms = transform and {each: transform(each) for each in (False, True)}
        lengths = [len(case.images) for case in cases]
        self.first = np.concatenate(
            [[0], np.cumsum(lengths)]
        )  # position of each case's first slice

    def __len__(self) -> int:
        return len(self.cases)

    def __getitem__(self, draw: StackDraw) -> Sample:
        random = np.random.default_rng(draw.entropy)
        case = self.cases[draw.case]
        numbers = self._numbers(case, draw.depth, random)
        as_hu = case.hounsfield and bool(random.random() < _HU_SHARE)
        first = int(self.first[draw.case])
        if self.transforms is None:
            return self._raw(case, numbers, as_hu, first, random)
        return stack_sample(
            case,
            numbers,
            self.recipe,
            self.transforms[as_hu],
            as_hu,
            first,
            random,
            self.channel_dropout,
        )

    def _raw(
        self, case: Case, numbers: Any, as_hu: bool, first: int, random: np.random.Generator
    ) -> Sample:
        return {
            **raw_sample(case, numbers, self.raw_side),
            **present_scans(case, self.channel_dropout, random),
            "hounsfield": torch.tensor(float(as_hu)),
            "compressed": torch.tensor(case.hounsfield and not as_hu),
            "index": torch.from_numpy(first + np.asarray(numbers)),
            "draw": torch.tensor(int(random.integers(2**32))),
        }

    def _numbers(self, case: Case, depth: int, random: np.random.Generator) -> Any:
        """Slice numbers of a stack."""
        count = len(case.images)
        step = 1
        if case.gap_mm and depth > 1:
            wanted = (self.recipe.through_plane_mm or case.gap_mm) * random.uniform(*_SPACING_MM)
            step = max(1, min(round(wanted / case.gap_mm), (count - 1) // (depth - 1)))
        extent = (depth - 1) * step + 1
        last_start = max(0, count - extent)
        start = int(random.integers(last_start + 1))
        with_liver = np.flatnonzero(case.labels.any(axis=(1, 2)))
        if len(with_liver) and random.random() < self.share:
            middle = int(random.choice(with_liver))
            start = min(max(0, middle - int(random.integers(extent))), last_start)
        return np.minimum(start + step * np.arange(depth), count - 1)

    def describe(self, index: int) -> str:
        """Description of a slice: source, patient ID, and slice number within the patient, starting at 0."""
        number = int(np.searchsorted(self.first, index, side="right")) - 1
        case = self.cases[number]
        return f"{case.source} patient {case.patient} slice {index - int(self.first[number])}"


def stack_sample(
    case: Case,
    numbers: Any,
    recipe: SliceRecipe,
    transform: Any,
    as_hu: bool,
    first: int,
    random: np.random.Generator,
    channel_dropout: float = 0.0,
) -> Sample:
    """A stack of a case as network input.

    Args:
        case: The case.
        numbers: Its slices, from inferior to superior.
        recipe: Neighbours and modality plane.
        transform: Applied to the stack.
        as_hu: Whether the network is told that intensities are Hounsfield units.
        first: Position of the case's first slice in the dataset.
        random: Source of randomness.
        channel_dropout: Probability that each scan of a case with several is left out.
    """
    reseed = getattr(transform, "set_random_state", None)
    if reseed is not None:
        reseed(seed=int(random.integers(2**32)))
    image = images_of(case, numbers)
    if case.hounsfield and not as_hu:  # as a CT that is scaled by percentiles
        image = compress_highlights(image, recipe.mr_headroom)
    present = present_scans(case, channel_dropout, random)
    stack: Sample = transform({"image": image, **labels_of(case, numbers), **present})
    stack = with_black(stack, present)
    return {
        "image": with_channels(stack["image"], recipe, as_hu),
        "label": stack["label"] if case.classes > 1 else stack["label"][:, None],
        "index": torch.from_numpy(first + np.asarray(numbers)),
        "draw": torch.tensor(int(random.integers(2**32))),
    }


def with_channels(images: Tensor, recipe: SliceRecipe, hounsfield: bool) -> Tensor:
    """Network input [slice, channel, height, width] from slices [slice, height, width], of several scans one after the
    other."""
    scans = images.chunk(max(1, len(recipe.channel_names)))
    slices = torch.arange(len(scans[0]))
    around = slices[:, None] + torch.arange(-1, 2) * int(recipe.neighbours)
    around = around.clamp(0, len(slices) - 1)
    channels = torch.cat([scan[around] for scan in scans], dim=1)
    if not recipe.modality_plane:
        return channels.contiguous()
    return with_modality_plane(channels, hounsfield)


class StackBatchSampler(Sampler[list[StackDraw]]):
    """Batches of stacks: each batch has one depth, and single slices fill batches of their own.

    The draws of an epoch depend on (seed, epoch) only and are distributed over the devices in turn.

    Args:
        cases: The cases.
        slices: Slices per epoch.
        depths: Depths to draw from.
        batch_size: Slices per batch.
        seed: Random seed of the training run.
        rank: Rank of this device.
        devices: Number of devices.
    """

    def __init__(
        self,
        cases: Sequence[Case],
        slices: int,
        depths: Sequence[int],
        batch_size: int,
        *,
        seed: int,
        rank: int = 0,
        devices: int = 1,
    ) -> None:
        self.seed, self.rank, self.devices, self.epoch = seed, rank, devices, 0
        self.depths, self.batch_size = depths, batch_size
        self.batches = max(1, slices // batch_size // devices)
        patients = Counter(case.source for case in cases)
        weight = np.array([case.weight / patients[case.source] for case in cases])
        stacked = np.array([case.ordered and len(case.images) > 1 for case in cases])
        self.cases = {kind: np.flatnonzero(stacked == kind) for kind in (False, True)}
        self.weights = {kind: weight[self.cases[kind]] for kind in (False, True)}
        self.share = weight[stacked].sum() / weight.sum()

    @property
    def sampler(self) -> StackBatchSampler:
        """Itself: Lightning sets the epoch of a batch sampler's sampler."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch to be drawn next; called by Lightning."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.batches

    def __iter__(self) -> Iterator[list[StackDraw]]:
        for number in range(self.batches):
            place = number * self.devices + self.rank
            random = np.random.default_rng((self.seed, self.epoch, place))
            stacked = bool(random.random() < self.share)
            depth = int(random.choice(self.depths)) if stacked else 1
            depth = min(depth, self.batch_size)
            weights = self.weights[stacked]
            drawn = random.choice(
                self.cases[stacked], self.batch_size // depth, p=weights / weights.sum()
            )
            yield [
                StackDraw(int(case), depth, (self.seed, self.epoch, place, n))
                for n, case in enumerate(drawn)
            ]


class ValidationStacks(Dataset[Sample]):
    """All slices of the cases in consecutive stacks, without randomness; each item is a batch of one scan, or of single
    slices.

    Args:
        cases: The cases.
        recipe: Preprocessing of the network.
        transform: Crops and finishes a stack.
        depth: Largest number of slices of an item.
    """

    def __init__(
        self, cases: Sequence[Case], recipe: SliceRecipe, transform: Any, depth: int
    ) -> None:
        self.cases, self.recipe, self.transform = cases, recipe, transform
        self.items: list[tuple[int, Any]] = []
        for number, case in enumerate(cases):
            step = slice_step(case.gap_mm, recipe) if case.ordered else 1
            slices = np.arange(len(case.images))[::step]
            self.items += [
                (number, part) for part in np.array_split(slices, -(-len(slices) // depth))
            ]

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, item: int) -> Sample:
        number, slices = self.items[item]
        case, random = self.cases[number], np.random.default_rng(0)
        if case.ordered:
            sample = stack_sample(
                case, slices, self.recipe, self.transform, case.hounsfield, 0, random
            )
            return {**sample, "image": sample["image"][None]}
        singles = [
            stack_sample(case, [each], self.recipe, self.transform, case.hounsfield, 0, random)
            for each in slices
        ]
        return {
            key: torch.stack([each[key] for each in singles]) for key in ("image", "label", "index")
        }
