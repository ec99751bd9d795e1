"""Samples are those of MONAI's Compose, bit for bit, for all transforms and any probability."""

import numpy as np
import pytest
import torch
from monai.transforms import Compose

from augmentations import sample
from rma_mamba.datasets.augment_config import AugmentConfig
from rma_mamba.datasets.augmentation import stack_transforms, transforms
from rma_mamba.datasets.augmentation.seeded_chain import SeededChain
from rma_mamba.slicing import SliceRecipe

PROBABILITIES = [
    name
    for name, field in AugmentConfig.model_fields.items()
    if any(getattr(each, "le", None) == 1 for each in field.metadata)
]


class Composed(Compose):
    """What the chain replaces."""

    def set_random_state(self, seed: int) -> None:
        super().set_random_state(seed=seed)


@pytest.mark.parametrize("kind", ["slices", "stacks", "hounsfield"])
@pytest.mark.parametrize("probability", [0.0, 0.5, 1.0])
def test_samples_are_those_of_monai(
    monkeypatch: pytest.MonkeyPatch, kind: str, probability: float
) -> None:
    chosen = dict.fromkeys(PROBABILITIES, probability)
    config = AugmentConfig(
        **{**chosen, "rotation_degrees": 20, "elastic": 0.02, "scale": (0.8, 1.2)}
    )

    def make() -> object:
        if kind == "slices":
            return transforms.training_transform(config, 64)
        recipe = SliceRecipe(ct_window_hu=(-125, 275))
        return stack_transforms.stack_transform(config, recipe, 64, hounsfield=kind == "hounsfield")

    ours = make()
    assert isinstance(ours, SeededChain)
    for module in (transforms, stack_transforms):
        monkeypatch.setattr(module, "SeededChain", Composed)
    theirs = make()
    assert isinstance(theirs, Composed)
    for seed in (0, 1, 2**32 - 1, 7):
        results = []
        for transform in (ours, theirs):
            transform.set_random_state(seed=seed)  # type: ignore[attr-defined]
            results.append(transform(sample()))  # type: ignore[operator]
        assert results[0].keys() == results[1].keys()
        for name, found in results[0].items():
            assert torch.equal(found, results[1][name]), (seed, name)


def test_a_seed_determines_a_sample_whatever_came_before() -> None:
    chain = transforms.training_transform(AugmentConfig(noise=1, gamma=0.5), 64)
    found = []
    for seed in (5, 6, 5):
        chain.set_random_state(seed=seed)
        found.append(chain(sample())["image"])
    assert torch.equal(found[0], found[2])
    assert not torch.equal(found[0], found[1])


def test_transforms_of_probability_zero_are_not_called() -> None:
    chain = transforms.training_transform(AugmentConfig(), 64)
    assert len(chain.used) == 2  # crop and finish
    assert all(isinstance(each, np.random.RandomState) for own in chain.generators for each in own)
