"""Stacks are adjacent slices of one patient at a plausible spacing, and each epoch draws them reproducibly."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch

from rma_mamba.datasets.cases import Case
from rma_mamba.datasets.stacks import (
    StackBatchSampler,
    StackDataset,
    StackDraw,
    ValidationStacks,
    with_channels,
)
from rma_mamba.slicing import SliceRecipe

RECIPE = SliceRecipe(
    size=32, neighbours=True, modality_plane=True, through_plane_mm=5.0, mr_headroom=0.5
)


def case(
    slices: int, gap_mm: float | None = 2.5, *, ordered: bool = True, hounsfield: bool = False
) -> Case:
    """Each slice has its number as grey level; the liver is in the upper half."""
    images = np.repeat(np.arange(slices, dtype=np.uint8), 32 * 32).reshape(slices, 32, 32)
    labels = (images >= slices // 2).astype(np.uint8)
    return Case("source", str(slices), images, labels, ordered, 1.0, None, gap_mm, hounsfield)


def unchanged(hounsfield: bool) -> Any:
    return lambda sample: sample


def numbers(sample: dict[str, torch.Tensor]) -> list[int]:
    return (sample["image"][:, 1, 0, 0] * 255).round().int().tolist()


def test_a_stack_is_evenly_spaced_and_within_the_patient() -> None:
    dataset = StackDataset([case(40), case(60)], RECIPE, unchanged)
    steps = set()
    for seed in range(60):
        sample = dataset[StackDraw(1, 8, (seed,))]
        drawn = numbers(sample)
        assert len(set(np.diff(drawn))) == 1
        assert 0 <= drawn[0] < drawn[-1] < 60
        assert (sample["index"] - 40).tolist() == drawn
        steps.add(drawn[1] - drawn[0])
    assert steps == {1, 2, 3}  # 3.5 to 8 mm at 2.5 mm


def test_a_stack_deeper_than_the_patient_repeats_the_last_slice() -> None:
    sample = StackDataset([case(3)], RECIPE, unchanged)[StackDraw(0, 5)]
    assert numbers(sample) == [0, 1, 2, 2, 2]


def test_a_slice_is_named_by_source_patient_and_number() -> None:
    dataset = StackDataset([case(40), case(60)], RECIPE, unchanged)
    assert dataset.describe(39) == "source patient 40 slice 39"
    assert dataset.describe(41) == "source patient 60 slice 1"


def test_channels_are_the_neighbours_and_the_modality() -> None:
    images = torch.arange(3.0)[:, None, None].expand(3, 2, 2)
    channels = with_channels(images, RECIPE, True)[..., 0, 0]
    assert channels.tolist() == [[0, 0, 1, 1], [0, 1, 2, 1], [1, 2, 2, 1]]
    alone = SliceRecipe(size=32, neighbours=False)
    assert with_channels(images, alone, True)[..., 0, 0].tolist() == [[0] * 3, [1] * 3, [2] * 3]


def test_calibrated_ct_is_sometimes_shown_as_ct_of_unknown_windowing() -> None:
    bright = case(200, hounsfield=True)
    dataset = StackDataset([bright], RECIPE, unchanged)
    planes = Counter()
    for seed in range(50):
        sample = dataset[StackDraw(0, 4, (seed,))]
        hounsfield = float(sample["image"][0, 3, 0, 0])
        level, number = float(sample["image"][-1, 1, 0, 0]), int(sample["index"][-1])
        expected = number / 255
        if not hounsfield and expected > 0.5:
            expected = 0.5 + (expected - 0.5) / 2
        assert level == pytest.approx(expected, abs=1e-6)
        planes[hounsfield] += 1
    assert planes[1.0] > planes[0.0] > 0


def test_batches_are_of_one_depth_and_single_slices_stay_alone() -> None:
    cases = [case(40), case(50), case(5, None, ordered=False)]
    sampler = StackBatchSampler(cases, 1600, (4, 8), 16, seed=1)
    batches = list(sampler)
    assert len(batches) == len(sampler) == 100
    for batch in batches:
        depths = {draw.depth for draw in batch}
        assert len(depths) == 1
        assert len(batch) * depths.pop() == 16
        assert all((draw.depth == 1) == (draw.case == 2) for draw in batch)
    assert {batch[0].depth for batch in batches} == {1, 4, 8}
    assert batches == list(sampler)
    sampler.set_epoch(1)
    assert batches != list(sampler)


def test_devices_share_the_batches_of_an_epoch() -> None:
    cases = [case(40), case(5, None, ordered=False)]
    alone = list(StackBatchSampler(cases, 320, (4,), 16, seed=1))
    shared = [
        list(StackBatchSampler(cases, 320, (4,), 16, seed=1, rank=rank, devices=2))
        for rank in (0, 1)
    ]
    assert [batch for pair in zip(*shared, strict=True) for batch in pair] == alone


def test_validation_shows_each_slice_of_a_stack_once() -> None:
    cases = [case(40), case(5, None, ordered=False)]
    items = list(ValidationStacks(cases, RECIPE, unchanged(False), 8))
    stacks, (single,) = items[:-1], items[-1:]
    shown = [number for item in stacks for number in numbers({"image": item["image"][0]})]
    assert shown == list(range(0, 40, 2))  # every second slice is 5 mm apart
    assert single["image"].shape == (5, 1, 4, 32, 32)
    assert single["label"].shape == (5, 1, 1, 32, 32)
