"""Data of a training run: slices of the training and validation split, as a Lightning data module."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import lightning
import torch
from torch.utils.data import DataLoader, Dataset, default_collate

from rma_mamba.datasets.augmentation.batch_crop import RandomBatchCrop
from rma_mamba.datasets.augmentation.device_batch import DeviceAugmentation
from rma_mamba.datasets.augmentation.device_stacks import DeviceStackAugmentation
from rma_mamba.datasets.augmentation.stack_transforms import stack_transform
from rma_mamba.datasets.augmentation.transforms import training_transform, validation_transform
from rma_mamba.datasets.cases import Case, phantom_cases, read_cases
from rma_mamba.datasets.data_manifest import data_manifest
from rma_mamba.datasets.slices import Sample, SliceDataset, evenly_spaced
from rma_mamba.datasets.source_files import SourceFiles
from rma_mamba.datasets.splits import Split
from rma_mamba.datasets.stacks import StackBatchSampler, StackDataset, ValidationStacks
from rma_mamba.errors import ConfigError, EnvironmentWarning
from rma_mamba.training.config import Recipe
from rma_mamba.training.sampling import EpochSampler, ValidationBatchSampler
from rma_mamba.training.workers import pins_memory, usable_workers

_RAW = "tissues"  # a key that raw batches alone have
_VALIDATION_DEPTH = 32  # slices of a validation stack
_TOTAL_STRIDE = 32  # pixels of a slice per pixel of the network's deepest feature map


class SliceDataModule(lightning.LightningDataModule):
    """Slices of the training and validation split, read into memory once.

    Args:
        recipe: Data sources, splits, augmentation and sampling.
        first_epoch: Number of the first epoch; above 0 if the run is resumed.
    """

    def __init__(self, recipe: Recipe, first_epoch: int = 0) -> None:
        super().__init__()
        self.data, self.training, self.seed = recipe.data, recipe.training, recipe.run.seed
        self.first_epoch = first_epoch

    def setup(self, stage: str) -> None:
        """Read all cases.

        Raises:
            ConfigError: A folder is missing, a split has no patients, a source has no liver, or a batch is too
                small for batch normalisation.
        """
        data = self.data
        self.files = SourceFiles(data)
        train = [*read_cases(self.files, "train"), *phantom_cases(data)]
        val = read_cases(self.files, "val")
        if not train or (data.validation and not val):
            raise ConfigError(
                f"there are {len(train)} cases for training and {len(val)} for validation; "
                "expected at least one each. Name validation patients under data.splits.DATASET.val."
            )
        self.cases: dict[Split, list[Case]] = {"train": train, "val": val}
        if data.stack_depths:
            self._set_up_stacks(train, val)
            return
        self._set_up_slices(train, val)

    def _set_up_slices(self, train: list[Case], val: list[Case]) -> None:
        data = self.data
        self.train = SliceDataset(
            train,
            neighbours=data.recipe.neighbours,
            transform=None if self.on_device else training_transform(data.augment, data.crop),
            single_slice=data.augment.single_slice,
            reach_mm=data.augment.neighbours_reach_mm,
            channel_dropout=data.augment.channel_dropout,
            raw_side=_widest(train, data.crop),
            modality_plane=self.modality_plane,
        )
        self._check_batch()
        if val:
            all_slices = SliceDataset(
                val,
                neighbours=data.recipe.neighbours,
                transform=validation_transform(_widest(val, data.recipe.size)),
                modality_plane=self.modality_plane,
            )
            self.val = evenly_spaced(all_slices, data.validation_slices)

    def _set_up_stacks(self, train: list[Case], val: list[Case]) -> None:
        data = self.data

        def transform(hounsfield: bool) -> Any:
            return stack_transform(data.augment, data.recipe, data.crop, hounsfield=hounsfield)

        self.train_stacks = StackDataset(
            train,
            data.recipe,
            None if self.on_device else transform,
            data.foreground_share,
            data.augment.channel_dropout,
            raw_side=_widest(train, data.crop),
        )
        if val:
            transform = validation_transform(
                -(-_widest(val, data.recipe.size) // _TOTAL_STRIDE) * _TOTAL_STRIDE, stacked=True
            )
            self.val_stacks = ValidationStacks(val, data.recipe, transform, _VALIDATION_DEPTH)

    @property
    def modality_plane(self) -> bool:
        """Whether the last channel of slices states that intensities are Hounsfield units."""
        return self.data.recipe.modality_plane

    def manifest(self) -> list[dict[str, Any]]:
        """One record per case; see `data_manifest`."""
        return data_manifest(self.files, self.cases)

    def describe(self, index: int) -> str:
        """Description of a training slice."""
        return (self.train_stacks if self.data.stack_depths else self.train).describe(index)

    def _check_batch(self) -> None:
        """Batch normalisation needs more than one value per channel, even in the deepest feature map."""
        slices = min(self.training.batch_size, self.data.slices_per_epoch or len(self.train))
        side = min(self.data.canvases or (self.data.crop,))
        if slices == 1 and side <= _TOTAL_STRIDE:
            raise ConfigError(
                f"a batch is a single slice of {side} x {side} pixels; expected at least two slices, or a larger "
                f"crop. Add patients, or set data.crop={2 * _TOTAL_STRIDE}."
            )

    def slices_per_step(self, devices: int) -> int:
        """Number of slices per optimiser step on this number of devices."""
        return self.training.batch_size * self.training.accumulate * devices

    def train_dataloader(self) -> DataLoader[Sample]:
        """Training slices in random order; balanced over sources if the recipe limits the slices per epoch."""
        rank, devices = self._rank_and_devices()
        if self.data.stack_depths:
            return self._stack_dataloader(rank, devices)
        sampler = EpochSampler(
            self.train.weights(self.data.foreground_share),
            self.data.slices_per_epoch,
            seed=self.seed,
            step=self.slices_per_step(devices),
            rank=rank,
            devices=devices,
        )
        sampler.set_epoch(self.first_epoch)  # workers may start before Lightning sets the epoch
        return self._loader(
            self.train, devices, sampler=sampler, batch_size=self.training.batch_size
        )

    @property
    def on_device(self) -> bool:
        """Whether batches are augmented on the training device."""
        return self.data.augment_on == "device"

    def on_after_batch_transfer(self, batch: Sample, dataloader_idx: int) -> Sample:
        """Augment and crop a raw training batch on the device; called by Lightning for every batch."""
        if _RAW not in batch:
            return batch
        return RandomBatchCrop(self.data.canvases).crop(self._augmented(batch))

    def _augmented(self, batch: Sample) -> Sample:
        data = self.data
        if data.stack_depths:
            return DeviceStackAugmentation(data.augment, data.recipe, data.crop)(batch)
        return DeviceAugmentation(data.augment, data.crop, len(data.recipe.labels))(batch)

    def _loader(
        self, dataset: Dataset[Sample], devices: int, **sampling: Any
    ) -> DataLoader[Sample]:
        workers = usable_workers(self.training.workers, self._training_batch_bytes() * devices)
        return DataLoader(
            dataset,
            num_workers=workers,
            persistent_workers=workers > 0,
            worker_init_fn=_use_one_thread,
            pin_memory=pins_memory(self.training.accelerator),
            collate_fn=default_collate if self.on_device else RandomBatchCrop(self.data.canvases),
            **sampling,
        )

    def _batch_bytes(self) -> int:
        """Size of a batch of images and labels, float32, before it is cropped."""
        return 4 * self.training.batch_size * (self.data.recipe.channels + 1) * self.data.crop**2

    def _training_batch_bytes(self) -> int:
        """Size of a batch as a worker passes it on: uint8 if it is augmented on the device."""
        if not self.on_device:
            return self._batch_bytes()
        if self.data.stack_depths:
            planes, side = self.data.recipe.channels + 2, self.train_stacks.raw_side
        else:  # labels and tissues of three slices
            planes, side = self.data.recipe.channels + 2 * 3, self.train.raw_side
        return self.training.batch_size * planes * side**2

    def _stack_dataloader(self, rank: int, devices: int) -> DataLoader[Sample]:
        sampler = StackBatchSampler(
            self.train_stacks.cases,
            self.data.slices_per_epoch or int(self.train_stacks.first[-1]),
            self.data.stack_depths,
            self.training.batch_size,
            seed=self.seed,
            rank=rank,
            devices=devices,
        )
        sampler.set_epoch(self.first_epoch)
        return self._loader(self.train_stacks, devices, batch_sampler=sampler)

    def val_dataloader(self) -> DataLoader[Sample]:
        """Validation slices, always the same and in the same order; none without validation."""
        if not self.data.validation:
            return DataLoader[Sample]([])  # type: ignore[arg-type]
        if self.data.stack_depths:
            return self._validation_loader(self.val_stacks, batch_size=None)
        return self._validation_loader(self.val, batch_sampler=self._validation_batches())

    def _validation_loader(self, dataset: Dataset[Sample], **sampling: Any) -> DataLoader[Sample]:
        with warnings.catch_warnings():  # too little shared memory was reported for training
            warnings.simplefilter("ignore", EnvironmentWarning)
            workers = usable_workers(self.training.workers, self._batch_bytes())
        return DataLoader(
            dataset,
            num_workers=workers,
            persistent_workers=workers > 0,
            worker_init_fn=_use_one_thread,
            pin_memory=pins_memory(self.training.accelerator),
            **sampling,
        )

    def is_counted(self, batch: int) -> bool:
        """Whether a validation batch of this device counts, or only repeats a batch of another device."""
        if self.data.stack_depths:
            rank, devices = self._rank_and_devices()
            return batch % devices == rank
        batches = self._validation_batches()
        return batch * batches.devices + batches.rank < batches.batches

    def _validation_batches(self) -> ValidationBatchSampler:
        rank, devices = self._rank_and_devices()
        count = len(self.val)  # type: ignore[arg-type]
        return ValidationBatchSampler(count, self.training.batch_size, rank=rank, devices=devices)

    def _rank_and_devices(self) -> tuple[int, int]:
        """Rank of this device, and the number of devices."""
        trainer = self.trainer
        return (trainer.global_rank, trainer.world_size) if trainer else (0, 1)


def _widest(cases: Sequence[Case], smallest: int) -> int:
    """The longest side of all slices, in pixels, and at least `smallest`."""
    widest: int = max(max(case.images.shape[-2:]) for case in cases)
    return max(smallest, widest)


def _use_one_thread(worker: int) -> None:
    torch.set_num_threads(1)
