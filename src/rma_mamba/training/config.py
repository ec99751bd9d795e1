"""What a recipe says of a training: run, network, optimiser and schedule, data."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from rma_mamba.datasets.config import DataConfig, Settings


class RunConfig(Settings):
    """Where a training leaves its files."""

    folder: str = "runs/run"
    """Logs, checkpoints and the final weights; a training that is resumed finds its checkpoint here."""

    seed: int = Field(default=42, ge=0)
    """Of all random numbers."""


class ModelConfig(Settings):
    """The network."""

    name: str = "rma-mamba-t"
    """One of `rma-mamba info`'s models."""

    settings: dict[str, Any] = Field(default={})
    """Changes to what the name stands for."""

    weights: str | None = None
    """What to start from: "default", the embedded weights, or a file: VMamba's ImageNet weights, released
    weights, or ours."""

    fresh: tuple[str, ...] = ()
    """Beginnings of the names of parameters that start at random all the same."""


class TrainingConfig(Settings):
    """Optimiser and schedule. The defaults are the paper's."""

    epochs: int = Field(default=500, ge=1)
    """At most."""

    patience: int | None = Field(default=50, ge=1)
    """Epochs without a better validation Dice after which it stops; None: never."""

    batch_size: int = Field(default=16, ge=1)
    """Slices at a time, on each device."""

    accumulate: int = Field(default=1, ge=1)
    """Batches on each device whose gradients make one step together: a step of batch_size x accumulate x
    devices slices."""

    checkpoint_activations: bool = False
    """Compute the VSS blocks a second time on the way back instead of keeping what is inside them: the same
    gradients, less memory, about a third more time."""

    optimizer: Literal["adam", "adamw"] = "adam"
    """Adam, or AdamW with decoupled weight decay."""

    lr: float = Field(default=1e-4, gt=0)
    """Learning rate; the highest one with a cosine."""

    encoder_lr_factor: float = Field(default=1.0, gt=0)
    """Of the encoder's learning rate; below 1 a trained encoder is kept closer to what it was."""

    freeze_encoder_epochs: int = Field(default=0, ge=0)
    """First epochs in which the encoder is not trained, while a new decoder finds its way."""

    weight_decay: float = Field(default=0.0, ge=0)
    """Of matrices; vectors (norms, biases, decay rates) never decay."""

    schedule: Literal["plateau", "cosine"] = "plateau"
    """plateau: x 0.1 after 5 epochs without a lower validation loss; cosine: over all steps to zero."""

    warmup_steps: int = Field(default=0, ge=0)
    """Steps in which the learning rate rises to its full value (cosine only)."""

    average_weights: float | None = Field(default=None, gt=0, lt=1)
    """Decay of an exponential moving average of the weights, which is validated and kept; None: none."""

    dice_per_slice: float = Field(default=0.0, ge=0, le=1)
    """Share of the Dice loss that is taken slice by slice, where the small tip of a liver counts as much as
    its middle, instead of over the whole batch (the paper)."""

    clip_norm: float | None = Field(default=None, gt=0)
    """Largest norm of a step's gradient."""

    precision: Literal["32-true", "bf16-mixed", "auto"] = "auto"
    """auto: bf16 where the device is fast at it (CUDA), else float32."""

    workers: int = Field(default=2, ge=0)
    """Processes that prepare slices."""

    accelerator: str = "auto"
    """auto, cpu or gpu, as Lightning names them."""

    devices: int | Literal["auto"] = "auto"
    """Devices on each machine."""

    nodes: int = Field(default=1, ge=1)
    """Machines, under torchrun or SLURM."""

    loggers: tuple[Literal["csv", "tensorboard", "mlflow", "wandb"], ...] = ("csv", "tensorboard")
    """Where metrics go besides the curves. mlflow and wandb are extras of this package and stay on this
    machine unless MLFLOW_TRACKING_URI or WANDB_MODE says otherwise."""

    limit_batches: int | None = Field(default=None, ge=1)
    """At most so many steps an epoch, for a trial."""


class Recipe(Settings):
    """A whole training."""

    run: RunConfig = RunConfig()
    """Folder and seed."""

    model: ModelConfig = ModelConfig()
    """The network."""

    training: TrainingConfig = TrainingConfig()
    """Optimiser and schedule."""

    data: DataConfig
    """Sources, split and augmentation."""
