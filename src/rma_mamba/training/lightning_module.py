"""One training step and one validation step."""

from __future__ import annotations

from typing import Any, cast

import lightning
import torch
from torch import Tensor, nn

from rma_mamba.datasets.slices import Sample
from rma_mamba.errors import ConfigError
from rma_mamba.training.config import TrainingConfig
from rma_mamba.training.data_module import SliceDataModule
from rma_mamba.training.losses import segmentation_loss
from rma_mamba.training.optimizer import cosine_schedule, make_optimizer, plateau_schedule
from rma_mamba.training.sampling import seed_of

_STEP, _PLATEAU = "slices_per_step", "plateau"  # in checkpoints
_NAMED = 16  # slices in a message


class SegmentationModule(lightning.LightningModule):
    """A network in training.

    Args:
        model: Images to a list of logits, finest last.
        config: Optimiser and schedule.
        seed: Of stochastic depth and dropout.
    """

    def __init__(self, model: nn.Module, config: TrainingConfig, seed: int = 0) -> None:
        super().__init__()
        self.model = model
        self.config = config
        self.seed = seed
        self.plateau: torch.optim.lr_scheduler.ReduceLROnPlateau | None = None
        self._plateau_state: dict[str, Any] = {}
        # of the validation: both, predicted and true pixels, sum of the losses, slices
        self._sums = torch.zeros(5, dtype=torch.float64)

    @property
    def _data(self) -> SliceDataModule:
        return cast(SliceDataModule, self.trainer.datamodule)  # type: ignore[attr-defined]

    def on_train_epoch_start(self) -> None:
        """Freeze the encoder in the first epochs, if the recipe says so."""
        if self.config.freeze_encoder_epochs:
            trained = self.current_epoch >= self.config.freeze_encoder_epochs
            self.model.get_submodule("encoder").requires_grad_(trained)

    def on_train_batch_start(self, batch: Sample, index: int) -> None:
        """Draw from (seed, epoch, batch, device) alone, so that an interruption changes nothing."""
        torch.manual_seed(seed_of(self.seed, self.current_epoch, index, self.global_rank))

    def training_step(self, batch: Sample, index: int) -> Tensor:
        """The loss of a batch.

        Raises:
            ConfigError: It is no finite number any more.
        """
        maps, label = self.model(batch["image"]), batch["label"]
        loss = segmentation_loss(maps, label, per_slice=self.config.dice_per_slice)
        if not torch.isfinite(loss):
            raise ConfigError(
                f"the loss became {float(loss)} in epoch {self.current_epoch}, step {index}, on "
                f"{self._named(batch, maps[-1])}; expected a finite number. Look at these slices, lower "
                "training.lr, set training.clip_norm, or go on from best.ckpt in precision 32-true."
            )
        self.log("train_loss", loss, on_step=False, on_epoch=True, prog_bar=True, sync_dist=True)
        return loss

    def _named(self, batch: Sample, logits: Tensor) -> str:
        """The slices whose logits are not finite, or else the whole batch."""
        wrong = ~torch.isfinite(logits.flatten(1)).all(1)
        indices = batch["index"][wrong if wrong.any() else slice(None)].tolist()
        names = [self._data.train.describe(each) for each in indices[:_NAMED]]
        more = len(indices) - len(names)
        return ", ".join(names) + (f" and {more} more" if more else "")

    def on_validation_epoch_start(self) -> None:
        """Forget the last epoch."""
        self._sums.zero_()

    def validation_step(self, batch: Sample, index: int) -> None:
        """Add a batch to the validation's loss and Dice."""
        if not self._data.is_counted(index):
            return
        maps, label = self.model(batch["image"]), batch["label"]
        loss = segmentation_loss(maps, label)
        found = maps[-1] > 0
        liver = label > 0
        sums = [(found & liver).sum(), found.sum(), liver.sum(), loss * len(label)]
        added = [each.cpu().double() for each in sums]
        self._sums += torch.stack([*added, torch.tensor(len(label)).double()])

    def on_validation_epoch_end(self) -> None:
        """Dice over all validation pixels together: slices without liver count by what is wrongly found."""
        sums = self._sums
        if self.trainer.world_size > 1:
            everywhere = self.trainer.strategy.reduce(sums.to(self.device), reduce_op="sum")
            sums = cast(Tensor, everywhere).cpu()
        dice = 2 * sums[0] / (sums[1] + sums[2]).clamp(min=1)
        loss = sums[3] / sums[4].clamp(min=1)
        self.log_dict({"val_loss": loss.float(), "val_dice": dice.float()}, prog_bar=True)

    def on_train_epoch_end(self) -> None:
        """Let the plateau see the validation; Lightning's own turn comes after the checkpoint is written."""
        if self.plateau is not None:
            self.plateau.step(float(self.trainer.callback_metrics["val_loss"]))

    def configure_optimizers(self) -> Any:
        """Optimiser and schedule of the recipe."""
        config = self.config
        optimizer = make_optimizer(self.model, config)
        if config.schedule == "plateau":
            self.plateau = plateau_schedule(optimizer)
            self.plateau.load_state_dict(self._plateau_state)
            return optimizer
        schedule = cosine_schedule(optimizer, config, int(self.trainer.estimated_stepping_batches))
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what Lightning does not know."""
        checkpoint[_STEP] = self._data.slices_per_step(self.trainer.world_size)
        checkpoint[_PLATEAU] = {} if self.plateau is None else self.plateau.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take it up again.

        Raises:
            ConfigError: A step would be of more or fewer slices than before.
        """
        devices = self.trainer.world_size
        before, now = checkpoint.get(_STEP), self._data.slices_per_step(devices)
        if before not in (None, now):
            raise ConfigError(
                f"a step of this training was of {before} slices and would now be of {now} "
                f"({self.config.batch_size} on each of {devices} devices, {self.config.accumulate} times); "
                "expected the same. Change training.batch_size or training.accumulate to match."
            )
        self._plateau_state = checkpoint.get(_PLATEAU, {})
