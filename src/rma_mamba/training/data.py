"""The data of a training, as Lightning asks for it."""

from __future__ import annotations

from typing import Any

import lightning
import torch
from lightning.fabric.utilities.seed import pl_worker_init_function
from torch.utils.data import DataLoader, WeightedRandomSampler

from rma_mamba.datasets.augment import CutToCanvas, training_transform, validation_transform
from rma_mamba.datasets.cases import phantom_cases, read_cases
from rma_mamba.datasets.config import DataConfig
from rma_mamba.datasets.slices import Sample, SliceDataset, thinned
from rma_mamba.errors import ConfigError
from rma_mamba.training.config import TrainingConfig


class SliceData(lightning.LightningDataModule):
    """Training and validation slices, read once into memory."""

    def __init__(self, data: DataConfig, training: TrainingConfig) -> None:
        super().__init__()
        self.data = data
        self.training = training

    def setup(self, stage: str) -> None:
        """Read all cases.

        Raises:
            ConfigError: A folder is missing, a side of the split has no patient, or a source no liver.
        """
        data = self.data
        train = [*read_cases(data, "train"), *phantom_cases(data)]
        valid = read_cases(data, "valid")
        if not train or not valid:
            raise ConfigError(
                f"the split has {len(train)} cases to train on and {len(valid)} to validate on; "
                "expected both. Name patients under data.splits.COHORT.valid."
            )
        self.train = SliceDataset(
            train,
            neighbours=data.recipe.neighbours,
            transform=training_transform(data.augment, data.crop),
            single_slice=data.augment.single_slice,
            reach_mm=data.augment.neighbours_reach_mm,
        )
        widest = max(max(case.images.shape[1:]) for case in valid)
        every = SliceDataset(
            valid,
            neighbours=data.recipe.neighbours,
            transform=validation_transform(max(widest, data.recipe.size)),
        )
        self.valid = thinned(every, data.validation_slices)

    def train_dataloader(self) -> DataLoader[Sample]:
        """Slices in random order, drawn evenly over sources if the recipe says how many an epoch has."""
        count = self.data.slices_per_epoch
        if self.training.workers == 0:
            self.train.transform.set_random_state(seed=torch.initial_seed() % 2**32)  # type: ignore[attr-defined]
        sampler = WeightedRandomSampler(self.train.weights(), count) if count else None
        return DataLoader(
            self.train,
            self.training.batch_size,
            sampler=sampler,
            shuffle=sampler is None,
            drop_last=(count or len(self.train)) >= self.training.batch_size,
            num_workers=self.training.workers,
            persistent_workers=self.training.workers > 0,
            worker_init_fn=_seed_transforms,
            collate_fn=CutToCanvas(self.data.canvases),
        )

    def val_dataloader(self) -> DataLoader[Sample]:
        """The same slices in the same order, every time."""
        return DataLoader(self.valid, self.training.batch_size)


def _seed_transforms(worker: int) -> None:
    """MONAI's transforms keep a random state of their own, which every worker would share."""
    pl_worker_init_function(worker)  # another seed for each worker of each process
    info = torch.utils.data.get_worker_info()
    if info is not None:
        dataset: Any = info.dataset
        dataset.transform.set_random_state(seed=torch.initial_seed() % 2**32)
        torch.set_num_threads(1)
