"""Slices of cases as training and validation samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Subset

from rma_mamba.datasets.cases import Case

# "image": float32 [3, height, width] in [0, 1], with 3 channels of each scan if a case has several, and the modality
# plane if the recipe has one; "label": float32 [class, height, width].
# Before the transform: "label" [3, height, width] for all channels, 1 where any class is; "tissues", uint8 [3, height,
# width]; and "classes", float32 [class and channel, height, width], if there are several.
# "present", bool [scan], if a case has several: which of them are there.
# "hounsfield", float32, of raw samples with a modality plane: its value.
# After the transform: "index", the position of the slice in its dataset, and "draw", a random number for the sample.
Sample = dict[str, Tensor]


class SliceDraw(NamedTuple):
    """Request for a slice with a given random state.

    Args:
        position: Position of the slice in the dataset.
        entropy: Seed of its random augmentation, which then depends neither on the process nor on earlier samples.
    """

    position: int
    entropy: tuple[int, ...] = ()


class SliceDataset(Dataset[Sample]):
    """All slices of the cases in order; an integer index is short for `SliceDraw(index)`.

    Args:
        cases: The cases.
        neighbours: Whether the three channels are the slice below, the slice itself and the slice above.
        transform: Applied to every sample; None: samples are raw, as `raw_sample` returns them.
        single_slice: Probability that the adjacent slices are replaced by the slice itself.
        reach_mm: Largest distance of the adjacent slices, so that thin slices can imitate thick ones.
        channel_dropout: Probability that each scan of a case with several is left out.
        raw_side: Side of raw samples in pixels.
        modality_plane: Whether a last channel states that intensities are Hounsfield units.
    """

    def __init__(
        self,
        cases: Sequence[Case],
        *,
        neighbours: bool,
        transform: Callable[[Sample], Any] | None,
        single_slice: float = 0.0,
        reach_mm: float = 0.0,
        channel_dropout: float = 0.0,
        raw_side: int = 0,
        modality_plane: bool = False,
    ) -> None:
        self.raw_side, self.modality_plane = raw_side, modality_plane
        self.cases = cases
        self.neighbours = neighbours
        self.transform = transform
        self.single_slice = single_slice
        self.reach_mm = reach_mm
        self.channel_dropout = channel_dropout
        self.index = [(case, number) for case in cases for number in range(len(case.images))]

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, item: int | SliceDraw) -> Sample:
        draw = item if isinstance(item, SliceDraw) else SliceDraw(int(item))
        random = np.random.default_rng(draw.entropy)
        case, number = self.index[draw.position]
        channels = np.full(3, number)
        if self.neighbours and case.ordered and random.random() >= self.single_slice:
            step = self._step(case, random)
            channels = np.clip(number + step * np.arange(-1, 2), 0, len(case.images) - 1)
        if self.transform is None:
            return self._raw(case, channels, draw.position, random)
        reseed = getattr(self.transform, "set_random_state", None)
        if reseed is not None:
            reseed(seed=int(random.integers(2**32)))
        present = present_scans(case, self.channel_dropout, random)
        sample: Sample = self.transform(
            {"image": images_of(case, channels), **labels_of(case, channels), **present}
        )
        sample = with_black(sample, present)
        if self.modality_plane:
            sample["image"] = with_modality_plane(sample["image"], case.hounsfield)
        numbers = torch.tensor([draw.position, int(random.integers(2**32))])
        return {**sample, "index": numbers[0], "draw": numbers[1]}

    def _raw(self, case: Case, channels: Any, position: int, random: np.random.Generator) -> Sample:
        present = present_scans(case, self.channel_dropout, random)
        numbers = torch.tensor([position, int(random.integers(2**32))])
        # three equal channels are made of one after the augmentation
        sample = raw_sample(case, channels if self.neighbours else channels[:1], self.raw_side)
        if self.modality_plane:
            sample["hounsfield"] = torch.tensor(float(case.hounsfield))
        return {**sample, **present, "index": numbers[0], "draw": numbers[1]}

    def _step(self, case: Case, random: np.random.Generator) -> int:
        """Distance of the adjacent slices, in slices."""
        farthest = int(self.reach_mm / case.gap_mm) if case.gap_mm else 1
        return 1 if farthest <= 1 else int(random.integers(1, farthest + 1))

    def describe(self, index: int) -> str:
        """Description of a slice: source, patient ID, and slice number within the patient, starting at 0."""
        case, number = self.index[index]
        return f"{case.source} patient {case.patient} slice {number}"

    def weights(self, foreground_share: float | None = None) -> list[float]:
        """Sampling weight of each slice: by weight over sources, then evenly over patients, then evenly over slices.

        Args:
            foreground_share: Share of draws that are from the labelled slices only; None: no such draws.
        """
        patients = Counter(case.source for case in self.cases)
        weights = [case.weight / patients[case.source] / len(case.images) for case, _ in self.index]
        if not foreground_share:
            return weights
        labelled = np.concatenate([case.labels.any(axis=(1, 2)) for case in self.cases])
        every = np.array(weights) / sum(weights)
        of_labelled = every * labelled
        balanced = of_labelled / max(of_labelled.sum(), np.finfo(float).tiny)
        return ((1 - foreground_share) * every + foreground_share * balanced).tolist()  # type: ignore[no-any-return]


def raw_sample(case: Case, numbers: Any, side: int) -> Sample:
    """Slices that are augmented later, in batches.

    Args:
        case: The case.
        numbers: Its slices.
        side: Side in pixels of the square that they are padded to.

    Returns:
        uint8: "image", the grey levels of all slices, of several scans one after the other; "label", bit n where class
        n is; "tissues", the label values of organs.
    """
    tissues = case.labels if case.tissues is None else case.tissues
    arrays = {
        "image": _in_order(case, numbers),
        "label": case.labels[numbers],
        "tissues": tissues[numbers],
    }
    return {name: torch.from_numpy(_padded(each, side)) for name, each in arrays.items()}


def _padded(values: Any, side: int) -> Any:
    """Slices in the middle of black squares."""
    height, width = values.shape[-2:]
    top, left = (side - height) // 2, (side - width) // 2
    squares = np.zeros((len(values), side, side), np.uint8)
    squares[:, top : top + height, left : left + width] = values
    return squares


def images_of(case: Case, numbers: Any) -> Tensor:
    """Slices in [0, 1] before the transform: [slice, height, width]; of several scans, one after the other."""
    return torch.from_numpy(_in_order(case, numbers)).float() / 255


def _in_order(case: Case, numbers: Any) -> Any:
    """Grey levels of slices; of several scans, those of the first, then those of the second."""
    values = np.asarray(case.images[numbers])
    return values.swapaxes(0, 1).reshape(-1, *values.shape[-2:]) if case.present else values


def present_scans(case: Case, dropout: float, random: np.random.Generator) -> Sample:
    """Which scans of a case a sample has; empty for a single scan, for which nothing is drawn.

    Args:
        case: The case.
        dropout: Probability that each scan is left out; one always remains.
        random: Source of randomness.
    """
    if not case.present:
        return {}
    present = np.array(case.present)
    if dropout:
        kept = present & (random.random(len(present)) >= dropout)
        last = random.choice(np.flatnonzero(present))
        present = kept if kept.any() else np.arange(len(present)) == last
    return {"present": torch.from_numpy(present)}


def with_black(sample: Sample, present: Sample) -> Sample:
    """A sample after the transform, black where a scan is not present."""
    if not present:
        return sample
    there = present["present"].float()
    image = sample["image"]
    scans = image.view(len(there), -1, *image.shape[-2:]) * there.view(-1, 1, 1, 1)
    return {**sample, "image": scans.view(image.shape)}


def with_modality_plane(images: Tensor, hounsfield: bool) -> Tensor:
    """Images [..., channel, height, width] with a last channel: 1 if intensities are Hounsfield units, else 0."""
    plane = torch.full_like(images[..., :1, :, :], float(hounsfield))
    return torch.cat([images, plane], dim=-3)


def labels_of(case: Case, numbers: Any) -> Sample:
    """Labels of slices before the transform: "label", "tissues" and, of several classes, "classes"."""
    tissues = case.labels if case.tissues is None else case.tissues
    bits = np.asarray(case.labels[numbers])
    sample = {"tissues": torch.from_numpy(np.asarray(tissues[numbers]))}
    if case.classes == 1:
        return {"label": torch.from_numpy(bits).float(), **sample}
    classes = [torch.from_numpy(bits >> number & 1).float() for number in range(case.classes)]
    anything = torch.from_numpy((bits > 0).astype(np.uint8)).float()
    return {"label": anything, **sample, "classes": torch.cat(classes)}


def evenly_spaced(dataset: SliceDataset, count: int | None) -> Dataset[Sample]:
    """At most `count` samples, evenly spaced."""
    if count is None or len(dataset) <= count:
        return dataset
    return Subset(dataset, np.linspace(0, len(dataset) - 1, count).round().astype(int).tolist())
