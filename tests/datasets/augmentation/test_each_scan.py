"""Augmentation of cases with several scans."""

import numpy as np
import torch
from torch import Tensor

from augmentations import EVERYTHING, sample
from rma_mamba.datasets.augment_config import AugmentConfig
from rma_mamba.datasets.augmentation.each_scan import EachScan
from rma_mamba.datasets.augmentation.seeded_chain import SeededChain
from rma_mamba.datasets.augmentation.synthetic_contrast import RandInversion, RandLesions
from rma_mamba.datasets.augmentation.transforms import training_transform

Sample = dict[str, Tensor]


def two_scans(present: tuple[bool, bool] = (True, True)) -> Sample:
    """The same scan twice."""
    one = sample()
    return {
        **one,
        "image": torch.cat([one["image"], one["image"]]),
        "present": torch.tensor(present),
    }


def changed(transform: EachScan, data: Sample, seed: int = 3) -> tuple[Tensor, ...]:
    chain = SeededChain([transform])
    chain.set_random_state(seed)
    return tuple(chain(data)["image"].chunk(2))


def test_a_single_scan_is_transformed_as_without() -> None:
    plain, wrapped = SeededChain([RandLesions(1.0)]), SeededChain([EachScan(RandLesions(1.0))])
    for chain in (plain, wrapped):
        chain.set_random_state(5)
    assert torch.equal(plain(sample())["image"], wrapped(sample())["image"])


def test_scans_have_contrasts_of_their_own_and_anatomy_in_common() -> None:
    own = changed(EachScan(RandLesions(1.0)), two_scans())
    shared = changed(EachScan(RandLesions(1.0), shared=True), two_scans())
    assert not torch.equal(*own)
    assert torch.equal(*shared)
    assert not torch.equal(shared[0], sample()["image"])


def test_missing_scans_are_left_out() -> None:
    first, second = changed(EachScan(RandInversion(1.0)), two_scans((True, False)))
    assert not torch.equal(first, sample()["image"])
    assert torch.equal(second, sample()["image"])


def test_every_augmentation_takes_two_scans_and_is_reproducible() -> None:
    transform = training_transform(EVERYTHING, 48)
    results = []
    for _ in range(2):
        transform.set_random_state(11)
        results.append(transform(two_scans()))
    assert results[0]["image"].shape == (6, 48, 48)
    assert results[0]["label"].shape == (1, 48, 48)
    assert torch.equal(results[0]["image"], results[1]["image"])
    first, second = results[0]["image"].chunk(2)
    assert not torch.equal(first, second)
    assert np.isfinite(results[0]["image"].numpy()).all()


def test_both_scans_are_moved_alike() -> None:
    moved = AugmentConfig(rotation_degrees=20, spatial=1.0, rotation=1.0, vertical_flip=1.0)
    transform = training_transform(moved, 48)
    transform.set_random_state(2)
    first, second = transform(two_scans())["image"].chunk(2)
    assert torch.equal(first, second)
