"""Masked image modelling: a network learns to restore hidden parts of slices (SimMIM, arXiv:2111.09886).

The whole network is trained, decoder included: its logit maps, through a sigmoid, are the restored intensities. Any
network can be pretrained in this way, and all its parts are initialised.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from rma_mamba.datasets.slices import Sample
from rma_mamba.errors import ConfigError
from rma_mamba.training.config import PretrainingConfig, Recipe
from rma_mamba.training.lightning_module import SegmentationModule

_MIDDLE = 1  # of the three channels: the slice itself


class MaskedImageModule(SegmentationModule):
    """A network being pretrained.

    Args:
        model: Maps images to a list of logits, finest last.
        recipe: Optimiser and schedule, masking, and the slice recipe.
    """

    def __init__(self, model: nn.Module, recipe: Recipe) -> None:
        super().__init__(model, recipe.training, recipe.run.seed, recipe.labels)
        self.masking = recipe.pretraining or PretrainingConfig()
        self.slices = recipe.data.recipe
        self._sums = torch.zeros(2, dtype=torch.float64)  # loss; slices

    def training_step(self, batch: Sample, index: int) -> Tensor:
        """The loss of a batch; its masks depend on the seed, epoch, batch and device only.

        Raises:
            ConfigError: The loss is not finite.
        """
        image = batch["image"]
        loss = self._restoration_loss(image, random_mask(image, self.masking))
        if not torch.isfinite(loss):
            raise ConfigError(
                f"the loss became {loss.item()} in epoch {self.current_epoch}, step {index}; expected a finite number. "
                "Lower training.lr or set training.clip_norm."
            )
        self.log("train_loss", loss, on_step=False, on_epoch=True, prog_bar=True, sync_dist=True)
        return loss

    def validation_step(self, batch: Sample, index: int) -> None:
        """Add a batch to the validation loss, with masks that are the same in every epoch."""
        if not self._data.is_counted(index):
            return
        image = batch["image"]
        random = torch.Generator().manual_seed(index * self.trainer.world_size + self.global_rank)
        loss = self._restoration_loss(image, random_mask(image, self.masking, random))
        self._sums += torch.tensor([float(loss) * len(image), len(image)], dtype=torch.float64)

    def on_validation_epoch_end(self) -> None:
        """Log the mean loss of all validation slices."""
        sums = self._sums
        if self.trainer.world_size > 1:
            total: Any = self.trainer.strategy.reduce(sums.to(self.device), reduce_op="sum")
            sums = total.cpu()
        self.log("val_loss", (sums[0] / sums[1].clamp(min=1)).float(), prog_bar=True)

    def _restoration_loss(self, image: Tensor, mask: Tensor) -> Tensor:
        """Mean absolute error of the masked pixels of the middle slice, averaged over all maps."""
        target = image[:, _MIDDLE : _MIDDLE + 1]
        mean = image.mean((1, 2, 3), keepdim=True)
        maps = self.model(self._network_input(torch.where(mask, mean, image)))
        errors = [
            (each.float().sigmoid().mean(1, keepdim=True) - target).abs()[mask].mean()
            for each in maps
        ]
        return torch.stack(errors).mean()

    def _network_input(self, image: Tensor) -> Tensor:
        """With the modality plane, if the slice recipe has one; each slice a scan of its own."""
        if self.slices.modality_plane:
            image = functional.pad(image, (0, 0, 0, 0, 0, 1))
        return image if self.slices.through_plane_mm is None else image[:, None]


def random_mask(
    image: Tensor, masking: PretrainingConfig, random: torch.Generator | None = None
) -> Tensor:
    """Squares that hide a share of each slice, in all its channels alike; bool [slice, 1, height, width].

    Args:
        image: [slice, channel, height, width].
        masking: Share and side of the squares.
        random: Source of randomness; None: the global one.
    """
    height, width = (-(-side // masking.mask_px) for side in image.shape[-2:])
    drawn = torch.rand((len(image), 1, height, width), generator=random) < masking.mask_share
    # at least one square, so that the loss is defined
    drawn[..., 0, 0] |= ~drawn.flatten(1).any(1)[:, None]
    whole = drawn.repeat_interleave(masking.mask_px, -2).repeat_interleave(masking.mask_px, -1)
    return whole[..., : image.shape[-2], : image.shape[-1]].to(image.device)
