"""Data of a pretraining run: slices of unlabelled scans, as a Lightning data module."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rma_mamba.datasets.unlabelled import unlabelled_cases, unlabelled_manifest
from rma_mamba.errors import ConfigError
from rma_mamba.training.config import PretrainingConfig, Recipe
from rma_mamba.training.data_module import SliceDataModule


class UnlabelledData(SliceDataModule):
    """Slices of unlabelled scans; some scans, evenly spaced in the list, are for validation.

    Args:
        recipe: Preprocessing, augmentation and sampling.
        scans: Files or folders of scans.
        first_epoch: As in `SliceDataModule`.
    """

    def __init__(self, recipe: Recipe, scans: Sequence[Path], first_epoch: int = 0) -> None:
        super().__init__(recipe, first_epoch)
        self.scans = scans
        self.share = (recipe.pretraining or PretrainingConfig()).validation_share

    def setup(self, stage: str) -> None:
        """Read all scans.

        Raises:
            ConfigError: Fewer than two scans can be read, or a batch is too small for batch normalisation.
        """
        found = unlabelled_cases(self.scans, self.data.recipe, self.data.cache)
        if len(found) < 2:
            raise ConfigError(
                f"{len(found)} of {len(self.scans)} scans can be read; expected at least two, one for training and one "
                "for validation. Add scans."
            )
        count = min(len(found) - 1, max(1, round(self.share * len(found))))
        held_out = set(np.linspace(0, len(found) - 1, count + 2)[1:-1].round().astype(int).tolist())
        splits = ["val" if number in held_out else "train" for number in range(len(found))]
        self.used = [(*each, split) for each, split in zip(found, splits, strict=True)]
        train, val = ([case for _, case, own in self.used if own == x] for x in ("train", "val"))
        self.cases = {"train": train, "val": val}
        self._set_up_slices(train, val)

    @property
    def modality_plane(self) -> bool:
        """No: the plane, which is not to be restored, is added to the masked images."""
        return False

    def manifest(self) -> list[dict[str, Any]]:
        """One record per scan; see `unlabelled_manifest`."""
        return unlabelled_manifest(self.used)
