"""Slices as samples: adjacent slices, reproducible augmentation, and sampling weights."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from rma_mamba.datasets.augment_config import AugmentConfig
from rma_mamba.datasets.augmentation.transforms import training_transform
from rma_mamba.datasets.cases import Case
from rma_mamba.datasets.slices import Sample, SliceDataset, SliceDraw, evenly_spaced


def case(source: str = "a", slices: int = 4, *, ordered: bool = True, weight: float = 1.0) -> Case:
    images = np.arange(slices, dtype=np.uint8)[:, None, None] + np.zeros((1, 8, 8), np.uint8)
    labels = (images > 1).astype(np.uint8)
    labels[:, :, 4:] = 0
    return Case(source, "1", images, labels, ordered, weight)


def same(sample: Sample) -> Sample:
    return sample


def grey(sample: Sample) -> list[int]:
    return [round(value * 255) for value in sample["image"][:, 0, 0].tolist()]


def test_channels_are_adjacent_slices_only_if_slices_are_ordered() -> None:
    dataset = SliceDataset([case()], neighbours=True, transform=same)
    assert [grey(dataset[i]) for i in range(4)] == [[0, 0, 1], [0, 1, 2], [1, 2, 3], [2, 3, 3]]
    loose = SliceDataset([case(ordered=False)], neighbours=True, transform=same)
    assert grey(loose[2]) == [2, 2, 2]
    alone = SliceDataset([case()], neighbours=False, transform=same)
    assert grey(alone[2]) == [2, 2, 2]


def test_adjacent_slices_are_replaced_at_random() -> None:
    dataset = SliceDataset([case()], neighbours=True, transform=same, single_slice=0.5)
    seen = {tuple(grey(dataset[SliceDraw(1, (seed,))])) for seed in range(30)}
    assert seen == {(0, 1, 2), (1, 1, 1)}


def test_adjacent_slices_of_thin_slices_are_drawn_up_to_a_distance() -> None:
    thin, thick = replace(case(slices=9), gap_mm=3.0), replace(case(slices=9), gap_mm=7.0)

    def seen(of: Case) -> set[tuple[int, ...]]:
        dataset = SliceDataset([of], neighbours=True, transform=same, reach_mm=9)
        return {tuple(grey(dataset[SliceDraw(4, (seed,))])) for seed in range(40)}

    assert seen(thin) == {(3, 4, 5), (2, 4, 6), (1, 4, 7)}
    assert seen(thick) == {(3, 4, 5)}
    assert seen(case(slices=9)) == {(3, 4, 5)}


def test_tissues_default_to_the_liver() -> None:
    known = replace(case(), tissues=np.full((4, 8, 8), 9, np.uint8))
    make = partial(SliceDataset, neighbours=True, transform=same)
    assert make([known])[1]["tissues"].unique().tolist() == [9]
    assert torch.equal(make([case()])[1]["tissues"], make([case()])[1]["label"].byte())


def test_sampling_is_by_source_weight_then_even_over_patients() -> None:
    cases = [case("a", 100), case("a", 2), case("b", 10, weight=3.0)]
    weights = np.array(SliceDataset(cases, neighbours=False, transform=same).weights())
    assert weights[:100].sum() == pytest.approx(0.5)
    assert weights[100:102].sum() == pytest.approx(0.5)
    assert weights[102:].sum() == pytest.approx(3.0)


def test_thinning_keeps_evenly_spaced_samples() -> None:
    dataset = SliceDataset([case(slices=9)], neighbours=False, transform=same)
    assert [grey(each)[0] for each in evenly_spaced(dataset, 3)] == [0, 4, 8]
    assert evenly_spaced(dataset, 20) is dataset


def test_augmentation_depends_on_the_draw_alone() -> None:
    transform = training_transform(AugmentConfig(noise=1, gamma=1), 32)
    dataset = SliceDataset([case(slices=9)], neighbours=True, transform=transform, single_slice=0.5)
    alone = dataset[SliceDraw(3, (1, 2, 3))]
    for number in range(5):
        dataset[SliceDraw(number, (number,))]
    again = dataset[SliceDraw(3, (1, 2, 3))]
    assert all(torch.equal(again[key], alone[key]) for key in alone)
    other = dataset[SliceDraw(3, (1, 2, 4))]
    assert not torch.equal(other["image"], alone["image"])
    assert other["draw"] != alone["draw"]


def test_a_slice_is_described_by_source_patient_and_number() -> None:
    dataset = SliceDataset([case("MR T2"), case("CT")], neighbours=False, transform=same)
    assert dataset.describe(int(dataset[5]["index"])) == "CT patient 1 slice 1"
