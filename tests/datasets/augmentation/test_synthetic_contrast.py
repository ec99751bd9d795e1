"""Random contrasts of organs, liver and lesions."""

import pytest
import torch

from augmentations import SIDE, augmented, sample
from rma_mamba.datasets.augment_config import AugmentConfig
from rma_mamba.datasets.augmentation.transforms import training_transform


@pytest.mark.parametrize("name", ["liver_contrast", "lesions"])
def test_liver_transforms_change_only_the_liver(name: str) -> None:
    out = augmented(AugmentConfig(**{name: 1}), seed=1)["image"]
    far = torch.ones(SIDE, SIDE, dtype=torch.bool)
    far[SIDE // 4 - 3 : SIDE // 2 + 3, SIDE // 4 - 3 : SIDE // 2 + 3] = False
    torch.testing.assert_close(out[:, far], sample()["image"][:, far])


def test_organs_get_random_contrasts() -> None:
    """Two organs of equal intensity get different intensities, in either order."""
    data = sample()
    data["tissues"] = data["label"].byte()
    data["tissues"][:, :, 24:] *= 7
    contrasts = []
    for seed in range(8):
        transform = training_transform(AugmentConfig(tissue_contrast=1), SIDE)
        transform.set_random_state(seed=seed)
        out = transform(dict(data))["image"][1]
        liver, other = out[18:30, 18:22].mean(), out[18:30, 26:30].mean()
        contrasts.append(float(liver - other))
    assert min(contrasts) < -0.1
    assert max(contrasts) > 0.1
    assert max(abs(each) for each in contrasts) > 0.3


def test_air_stays_dark() -> None:
    transform = training_transform(AugmentConfig(tissue_contrast=1), SIDE)
    for seed in range(5):
        transform.set_random_state(seed=seed)
        data = sample()
        data["image"][:, :, -16:] = 0
        assert transform(data)["image"][:, :, -10:].max() == 0
