"""Random crops of whole batches."""

import torch

from augmentations import SIDE, augmented
from rma_mamba.datasets.augment_config import AugmentConfig
from rma_mamba.datasets.augmentation.batch_crop import RandomBatchCrop


def test_a_batch_is_cropped_to_one_of_the_sizes() -> None:
    samples = [augmented(AugmentConfig(), seed) for seed in range(3)]
    for each in samples:
        each["image"][:] = each["label"]
    sizes, sums = set(), set()
    for draw in range(30):
        for each in samples:
            each["draw"] = torch.tensor(draw)
        batch = RandomBatchCrop((32, 64))(samples)
        assert batch["image"].shape[:2] == (3, 3)
        assert torch.equal(batch["image"][:, :1], batch["label"])
        sizes.add(batch["label"].shape[-2:])
        sums.add(float(batch["label"].sum()))
    assert sizes == {(32, 32), (64, 64)}
    assert len(sums) > 5  # at different places
    assert RandomBatchCrop(())(samples)["image"].shape == (3, 3, SIDE, SIDE)
