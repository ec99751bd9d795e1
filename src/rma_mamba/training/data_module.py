"""The data of a training, as Lightning asks for it."""

from __future__ import annotations

import lightning
import torch
from torch.utils.data import DataLoader

from rma_mamba.datasets.augmentation.transforms import (
    CutToCanvas,
    training_transform,
    validation_transform,
)
from rma_mamba.datasets.cases import Case, phantom_cases, read_cases
from rma_mamba.datasets.config import Side
from rma_mamba.datasets.slices import Sample, SliceDataset, thinned
from rma_mamba.errors import ConfigError
from rma_mamba.training.config import Recipe
from rma_mamba.training.sampling import EpochDraws, ValidationBatches

_DEEPEST = 32  # pixels of a slice that one pixel of the network's deepest map stands for


class SliceDataModule(lightning.LightningDataModule):
    """Training and validation slices, read once into memory.

    Args:
        recipe: What is read and how it is drawn.
        first_epoch: Epoch that a resumed training goes on with.
    """

    def __init__(self, recipe: Recipe, first_epoch: int = 0) -> None:
        super().__init__()
        self.data, self.training, self.seed = recipe.data, recipe.training, recipe.run.seed
        self.first_epoch = first_epoch

    def setup(self, stage: str) -> None:
        """Read all cases.

        Raises:
            ConfigError: A folder is missing, a side of the split has no patient, a source no liver, or a
                step too few pixels.
        """
        data = self.data
        train = [*read_cases(data, "train"), *phantom_cases(data)]
        valid = read_cases(data, "valid")
        if not train or not valid:
            raise ConfigError(
                f"the split has {len(train)} cases to train on and {len(valid)} to validate on; "
                "expected both. Name patients under data.splits.COHORT.valid."
            )
        self.cases: dict[Side, list[Case]] = {"train": train, "valid": valid}
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
        self._check_batch()

    def _check_batch(self) -> None:
        """Batch normalisation wants more than one value of each channel, also of the deepest map."""
        slices = min(self.training.batch_size, self.data.slices_per_epoch or len(self.train))
        side = min(self.data.canvases or (self.data.crop,))
        if slices == 1 and side <= _DEEPEST:
            raise ConfigError(
                f"a batch is a single slice of {side} x {side} pixels; expected two slices or a larger crop. "
                f"Add patients, or set data.crop={2 * _DEEPEST}."
            )

    def slices_per_step(self, devices: int) -> int:
        """Slices that make one step on so many devices."""
        return self.training.batch_size * self.training.accumulate * devices

    def train_dataloader(self) -> DataLoader[Sample]:
        """Slices in random order, drawn evenly over sources if the recipe says how many an epoch has."""
        rank, devices = self._place()
        draws = EpochDraws(
            self.train.weights(),
            self.data.slices_per_epoch,
            seed=self.seed,
            step=self.slices_per_step(devices),
            rank=rank,
            devices=devices,
        )
        draws.set_epoch(self.first_epoch)  # workers may begin before Lightning says which
        return DataLoader(
            self.train,
            self.training.batch_size,
            sampler=draws,
            num_workers=self.training.workers,
            persistent_workers=self.training.workers > 0,
            worker_init_fn=_one_thread,
            collate_fn=CutToCanvas(self.data.canvases),
        )

    def val_dataloader(self) -> DataLoader[Sample]:
        """The same slices in the same order, every time."""
        return DataLoader(self.valid, batch_sampler=self._validation_batches())

    def is_counted(self, batch: int) -> bool:
        """Whether a validation batch of this device is no repetition of another's."""
        batches = self._validation_batches()
        return batch * batches.devices + batches.rank < batches.batches

    def _validation_batches(self) -> ValidationBatches:
        rank, devices = self._place()
        count = len(self.valid)  # type: ignore[arg-type]
        return ValidationBatches(count, self.training.batch_size, rank=rank, devices=devices)

    def _place(self) -> tuple[int, int]:
        """Number of this device, and how many there are."""
        trainer = self.trainer
        return (trainer.global_rank, trainer.world_size) if trainer else (0, 1)


def _one_thread(worker: int) -> None:
    torch.set_num_threads(1)
