"""One training step, one validation step, the optimiser and its schedule."""

from __future__ import annotations

import math
from functools import partial
from typing import Any, cast

import lightning
import torch
from torch import Tensor, nn

from rma_mamba.datasets.slices import Sample
from rma_mamba.errors import ConfigError
from rma_mamba.training.config import TrainingConfig
from rma_mamba.training.losses import segmentation_loss

_PLATEAU_FACTOR, _PLATEAU_PATIENCE = 0.1, 5  # the paper's


class SegmentationModule(lightning.LightningModule):
    """A network in training.

    Args:
        model: Images to a list of logits, finest last.
        config: Optimiser and schedule.
    """

    def __init__(self, model: nn.Module, config: TrainingConfig) -> None:
        super().__init__()
        self.model = model
        self.config = config
        self._counts = torch.zeros(3, dtype=torch.float64)  # both, predicted, true pixels

    def training_step(self, batch: Sample, index: int) -> Tensor:
        """The loss of a batch.

        Raises:
            ConfigError: It is no finite number any more.
        """
        maps, label = self.model(batch["image"]), batch["label"]
        loss = segmentation_loss(maps, label, per_slice=self.config.dice_per_slice)
        if not torch.isfinite(loss):
            raise ConfigError(
                f"the loss became {float(loss)} in epoch {self.current_epoch}; expected a finite number. "
                "Lower training.lr, set training.clip_norm, or go on from best.ckpt in precision 32-true."
            )
        self.log("train_loss", loss, on_step=False, on_epoch=True, prog_bar=True, sync_dist=True)
        return loss

    @property
    def _ddp_params_and_buffers_to_ignore(self) -> list[str]:
        """Names of what the network never runs; distributed training else waits for its gradients."""
        unused = tuple(getattr(self.model, "unused_parameters", ()))
        return [f"model.{name}" for name in self.model.state_dict() if name.startswith(unused)]

    def on_validation_epoch_start(self) -> None:
        """Forget the pixels of the last epoch."""
        self._counts.zero_()

    def validation_step(self, batch: Sample, index: int) -> None:
        """Add a batch to the validation's loss and Dice."""
        maps, label = self.model(batch["image"]), batch["label"]
        loss = segmentation_loss(maps, label)
        self.log("val_loss", loss, prog_bar=True, sync_dist=True, batch_size=len(label))
        found = maps[-1] > 0
        pixels = [(found & (label > 0)).sum(), found.sum(), label.sum()]
        self._counts += torch.stack([each.double().cpu() for each in pixels])

    def on_validation_epoch_end(self) -> None:
        """Dice over all validation pixels together: slices without liver count by what is wrongly found."""
        everywhere = cast(Tensor, self.all_gather(self._counts.to(self.device, torch.float32)))
        counts = everywhere.reshape(-1, 3).sum(0)
        dice = (2 * counts[0] / (counts[1] + counts[2]).clamp(min=1)).float()
        self.log("val_dice", dice, prog_bar=True)

    def configure_optimizers(self) -> Any:
        """Optimiser and schedule of the recipe."""
        config = self.config
        matrices = [each for each in self.model.parameters() if each.ndim > 1]
        vectors = [each for each in self.model.parameters() if each.ndim <= 1]
        kind = torch.optim.AdamW if config.optimizer == "adamw" else torch.optim.Adam
        optimizer = kind(
            [
                {"params": matrices, "weight_decay": config.weight_decay},
                {"params": vectors, "weight_decay": 0.0},
            ],
            lr=config.lr,
        )
        if config.schedule == "plateau":
            plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
                optimizer, factor=_PLATEAU_FACTOR, patience=_PLATEAU_PATIENCE
            )
            return {
                "optimizer": optimizer,
                "lr_scheduler": {"scheduler": plateau, "monitor": "val_loss"},
            }
        steps = int(self.trainer.estimated_stepping_batches)
        cosine = torch.optim.lr_scheduler.LambdaLR(
            optimizer, partial(_cosine, warmup=config.warmup_steps, steps=steps)
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": cosine, "interval": "step"},
        }


def _cosine(step: int, warmup: int, steps: int) -> float:
    """Factor of the learning rate: a straight rise, then half a cosine down to zero."""
    if step < warmup:
        return (step + 1) / (warmup + 1)
    passed = (step - warmup) / max(1, steps - warmup)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, passed)))
