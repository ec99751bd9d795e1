"""Training and validation steps of a network, as a Lightning module."""

from __future__ import annotations

from typing import Any, cast

import lightning
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from rma_mamba.datasets.slices import Sample
from rma_mamba.errors import ConfigError
from rma_mamba.label_scheme import LabelScheme
from rma_mamba.training.config import TrainingConfig
from rma_mamba.training.data_module import SliceDataModule
from rma_mamba.training.losses import segmentation_loss
from rma_mamba.training.optimizer import cosine_schedule, make_optimizer, plateau_schedule
from rma_mamba.training.run_errors import LossError
from rma_mamba.training.sampling import derived_seed

_STEP, _PLATEAU = "slices_per_step", "plateau"  # keys in checkpoints
_LISTED = 16  # slices in an error message


class SegmentationModule(lightning.LightningModule):
    """A network being trained.

    Args:
        model: Maps images to a list of logits, finest last.
        config: Optimiser and schedule.
        seed: Random seed of stochastic depth and dropout.
        labels: The classes; None: the liver alone.
    """

    def __init__(
        self,
        model: nn.Module,
        config: TrainingConfig,
        seed: int = 0,
        labels: LabelScheme | None = None,
    ) -> None:
        super().__init__()
        self.labels = labels or LabelScheme()
        self.model = model
        self.config = config
        self.seed = seed
        self.plateau: torch.optim.lr_scheduler.ReduceLROnPlateau | None = None
        self._plateau_state: dict[str, Any] = {}
        # Validation sums: pixels of the intersection, prediction and reference of each class; loss; slices
        self._sums = torch.zeros(3 * len(self.labels) + 2, dtype=torch.float64)

    @property
    def _data(self) -> SliceDataModule:
        return cast(SliceDataModule, self.trainer.datamodule)  # type: ignore[attr-defined]

    def on_train_epoch_start(self) -> None:
        """Freeze or unfreeze the encoder, if the recipe freezes it in the first epochs."""
        if self.config.freeze_encoder_epochs:
            trained = self.current_epoch >= self.config.freeze_encoder_epochs
            self.model.get_submodule("encoder").requires_grad_(trained)

    def train(self, mode: bool = True) -> SegmentationModule:
        """Set the training mode; frozen norms keep their statistics."""
        super().train(mode)
        if self.config.freeze_norms:
            for module in self.model.modules():
                if isinstance(module, _BatchNorm):  # synchronised ones as well
                    module.eval()
        return self

    def on_train_batch_start(self, batch: Sample, index: int) -> None:
        """Seed from (seed, epoch, batch, device) only, so that an interruption does not change the result."""
        torch.manual_seed(derived_seed(self.seed, self.current_epoch, index, self.global_rank))

    def training_step(self, batch: Sample, index: int) -> Tensor:
        """The loss of a batch.

        Raises:
            LossError: The loss is not finite.
        """
        maps, label = self.model(batch["image"]), _all_slices(batch["label"])
        loss = segmentation_loss(
            maps,
            label,
            per_slice=self.config.dice_per_slice,
            exclusive=self.labels.exclusive,
        )
        if not torch.isfinite(loss):
            brief = f"the loss became {loss.item()} in epoch {self.current_epoch}, step {index}"
            raise LossError(
                f"{brief}, on {self._affected_slices(batch, maps[-1])}; expected a finite number. Check these slices, "
                "lower training.lr, set training.clip_norm, or continue from best.ckpt with "
                "training.precision=32-true.",
                brief,
            )
        self.log("train_loss", loss, on_step=False, on_epoch=True, prog_bar=True, sync_dist=True)
        return loss

    def _affected_slices(self, batch: Sample, logits: Tensor) -> str:
        """The slices whose logits are not finite; all slices of the batch if there are none."""
        wrong = ~torch.isfinite(logits.flatten(1)).all(1)
        indices = batch["index"].flatten()[wrong if wrong.any() else slice(None)].tolist()
        names = [self._data.describe(each) for each in indices[:_LISTED]]
        more = len(indices) - len(names)
        return ", ".join(names) + (f" and {more} more" if more else "")

    def on_validation_epoch_start(self) -> None:
        """Reset the validation sums."""
        self._sums.zero_()

    def validation_step(self, batch: Sample, index: int) -> None:
        """Add a batch to the validation loss and Dice."""
        if not self._data.is_counted(index):
            return
        maps, label = self.model(batch["image"]), _all_slices(batch["label"])
        loss = segmentation_loss(maps, label, exclusive=self.labels.exclusive)
        predicted, true = self._classes(maps[-1]), label > 0
        counts = [each.sum((0, 2, 3)) for each in (predicted & true, predicted, true)]
        added = [*torch.stack(counts).T.flatten(), loss * len(label)]
        self._sums += torch.stack(
            [*(each.cpu().double() for each in added), torch.tensor(len(label)).double()]
        )

    def _classes(self, logits: Tensor) -> Tensor:
        """Where each class is predicted, bool [slice, class, height, width]."""
        if not self.labels.exclusive or len(self.labels) == 1:
            return logits > 0
        numbers = torch.arange(len(self.labels), device=logits.device).view(1, -1, 1, 1)
        foreground = (
            logits.logsumexp(1, keepdim=True) > 0
        )  # against the background, whose logit is 0
        return foreground & (logits.argmax(1, keepdim=True) == numbers)

    def on_validation_epoch_end(self) -> None:
        """Log the Dice of all pooled validation pixels; slices without liver contribute their false positives.

        With several classes, `val_dice` is their mean; a class that occurs neither in labels nor predictions is left
        out.
        """
        sums = self._sums
        if self.trainer.world_size > 1:
            total = self.trainer.strategy.reduce(sums.to(self.device), reduce_op="sum")
            sums = cast(Tensor, total).cpu()
        both, predicted, true = sums[:-2].view(-1, 3).T
        of_classes = 2 * both / (predicted + true).clamp(min=1)
        defined = of_classes[predicted + true > 0]
        dice = defined.mean() if len(defined) else torch.zeros(())
        loss = sums[-2] / sums[-1].clamp(min=1)
        self.log_dict({"val_loss": loss.float(), "val_dice": dice.float()}, prog_bar=True)
        if len(self.labels) > 1:
            named = zip(self.labels.names, of_classes.float(), strict=True)
            self.log_dict({f"val_dice_{name}": value for name, value in named})

    def on_train_epoch_end(self) -> None:
        """Step the plateau schedule before the checkpoint is written; Lightning would step it afterwards.

        Without validation, the training loss decides.
        """
        if self.plateau is not None:
            metrics = self.trainer.callback_metrics
            self.plateau.step(float(metrics.get("val_loss", metrics["train_loss"])))

    def configure_optimizers(self) -> Any:
        """The optimiser and schedule of the recipe."""
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
        """Add the step size and the state of the plateau schedule to a checkpoint."""
        checkpoint[_STEP] = self._data.slices_per_step(self.trainer.world_size)
        checkpoint[_PLATEAU] = {} if self.plateau is None else self.plateau.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore the state of the plateau schedule.

        Raises:
            ConfigError: The number of slices per step has changed.
        """
        devices = self.trainer.world_size
        before, now = checkpoint.get(_STEP), self._data.slices_per_step(devices)
        if before not in (None, now):
            raise ConfigError(
                f"this training run used {before} slices per step and would now use {now} "
                f"(batch size {self.config.batch_size} x {devices} devices x {self.config.accumulate} accumulated "
                "batches); expected the same number. Adjust training.batch_size or training.accumulate."
            )
        self._plateau_state = checkpoint.get(_PLATEAU, {})


def _all_slices(label: Tensor) -> Tensor:
    """Labels of all slices [slice, 1, height, width], from those of stacks [stack, slice, 1, height, width]."""
    return label.flatten(0, 1) if label.ndim == 5 else label
