"""The settings of a training run: run folder, network, optimisation, data."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from rma_mamba.datasets.config import DataConfig
from rma_mamba.datasets.settings import Settings
from rma_mamba.label_scheme import LabelScheme
from rma_mamba.models.registry import BASELINES, NETWORKS

FOLDS_RECORD = "folds.json"  # in the folder of a cross-validation: the patients of each fold
SWEEP_RECORD = "sweep.json"  # in the folder of a sweep: what it varies
WEIGHTS_FILE = "weights.safetensors"  # in the run folder: the best network


class RunConfig(Settings):
    """Output folder and random seed."""

    folder: str = "runs/run"
    """Run folder for logs, checkpoints and the final weights. A resumed run continues from its checkpoint."""

    seed: int = Field(default=42, ge=0)
    """Seed of all random number generators."""


class ModelConfig(Settings):
    """The network and its initial weights."""

    name: str = "rma-mamba-t"
    """Name of the network, as listed by `rma-mamba info`."""

    settings: dict[str, Any] = Field(default={})
    """Changes to the preset of that name, such as `extra_blocks = 0`. Empty: the preset."""

    weights: str | None = None
    """Initial weights: "default" for the bundled weights, or a file (VMamba's ImageNet checkpoint, a released
    checkpoint, or a weights file of a training run). None: random."""

    fresh: tuple[str, ...] = ()
    """Prefixes of parameter names that are initialised randomly even if `weights` contains them. Empty: none."""


class TrainingConfig(Settings):
    """Optimiser, schedule and hardware. The defaults are those of the paper."""

    epochs: int = Field(default=500, ge=1)
    """Maximum number of epochs."""

    patience: int | None = Field(default=50, ge=1)
    """Early stopping: epochs without improvement of the validation Dice after which training stops. None: never;
    write "none" in TOML, which has no None, and in `--set training.patience=none`. This applies to every optional
    setting."""

    batch_size: int = Field(default=16, ge=1)
    """Slices per batch on each device."""

    accumulate: int = Field(default=1, ge=1)
    """Number of batches whose gradients are accumulated for one optimiser step. A step uses
    batch_size x accumulate x devices slices."""

    checkpoint_activations: bool = False
    """Activation checkpointing: recompute the VSS blocks in the backward pass instead of storing their
    activations. Gradients are the same; memory use is lower and training takes about a third longer."""

    optimizer: Literal["adam", "adamw"] = "adam"
    """Optimiser: Adam, or AdamW with decoupled weight decay."""

    lr: float = Field(default=1e-4, gt=0)
    """Learning rate; with the cosine schedule, its maximum."""

    encoder_lr_factor: float = Field(default=1.0, gt=0)
    """Factor of the encoder's learning rate relative to `lr`. Below 1, pretrained encoder weights change less."""

    freeze_encoder_epochs: int = Field(default=0, ge=0)
    """Number of initial epochs in which the encoder is frozen, while a new decoder adapts to it."""

    freeze_norms: bool = False
    """Keep the statistics of batch normalisation of the initial weights, so that a batch may consist of slices of a
    single scan."""

    sync_norms: bool = False
    """Compute the statistics of batch normalisation over all devices together (SyncBatchNorm), for small batches on
    many GPUs. No effect on a single device."""

    weight_decay: float = Field(default=0.0, ge=0)
    """Weight decay of matrices and kernels. Vectors (norms, biases, decay rates) are never decayed."""

    schedule: Literal["plateau", "cosine"] = "plateau"
    """Learning rate schedule. "plateau": multiply by 0.1 after 5 epochs without a lower validation loss
    (without validation: training loss).
    "cosine": decrease to zero over all steps, following half a cosine."""

    warmup_steps: int = Field(default=0, ge=0)
    """Number of initial steps in which the learning rate rises linearly to its maximum (cosine only)."""

    average_weights: float | None = Field(default=None, gt=0, lt=1)
    """Decay of an exponential moving average of the weights, which is then validated, saved and exported in
    place of the weights. None: no averaging."""

    dice_per_slice: float = Field(default=0.0, ge=0, le=1)
    """Fraction of the Dice loss that is computed per slice, so that small liver sections count as much as large
    ones. The remainder is computed over the whole batch, as in the paper."""

    clip_norm: float | None = Field(default=None, gt=0)
    """Maximum norm of the gradient (gradient clipping). None: no clipping."""

    precision: Literal["32-true", "bf16-mixed", "auto"] = "auto"
    """Numerical precision. "auto": bfloat16 mixed precision on GPUs and processors with instructions for it, else
    float32, because bfloat16 takes several times as long without them."""

    workers: int = Field(default=2, ge=0)
    """Number of data loader processes. 0: load data in the main process."""

    accelerator: str = "auto"
    """Device type, in Lightning's terms: "auto", "cpu" or "gpu"."""

    devices: int | Literal["auto"] = "auto"
    """Number of devices on each node. "auto": all available."""

    nodes: int = Field(default=1, ge=1)
    """Number of nodes (machines), started with torchrun or SLURM."""

    loggers: tuple[Literal["csv", "tensorboard", "mlflow", "wandb"], ...] = ("csv", "tensorboard")
    """Loggers of the metrics, in addition to the learning curves. "mlflow" and "wandb" are extras of this package;
    they log to this machine only, unless MLFLOW_TRACKING_URI or WANDB_MODE is set."""

    limit_batches: int | None = Field(default=None, ge=1)
    """Maximum number of batches per epoch, for a quick test of a recipe. None: no limit."""


class PretrainingConfig(Settings):
    """Masked image modelling on unlabelled scans (`rma-mamba pretrain`)."""

    mask_share: float = Field(default=0.6, gt=0, lt=1)
    """Share of a slice that is hidden."""

    mask_px: int = Field(default=16, ge=1)
    """Side in pixels of the squares that are hidden."""

    validation_share: float = Field(default=0.1, gt=0, lt=1)
    """Share of the scans that are used for validation; at least one."""


class Recipe(Settings):
    """All settings of a training run."""

    run: RunConfig = RunConfig()
    """Output folder and random seed."""

    model: ModelConfig = ModelConfig()
    """The network and its initial weights."""

    training: TrainingConfig = TrainingConfig()
    """Optimiser, schedule and hardware."""

    data: DataConfig
    """Data sources, splits and augmentation."""

    pretraining: PretrainingConfig | None = None
    """Settings of `rma-mamba pretrain`; ignored by `train`. None: the defaults."""

    @model_validator(mode="before")
    @classmethod
    def _move_labels(cls, content: Any) -> Any:
        """Read `[labels]` as `[data.recipe.labels]`."""
        if not isinstance(content, dict) or "labels" not in content:
            return content
        data = content.get("data", {})
        recipe = data.get("recipe", {})
        if recipe.get("labels", content["labels"]) != content["labels"]:
            raise ValueError("labels and data.recipe.labels differ; expected one of them")
        others = {key: value for key, value in content.items() if key != "labels"}
        return {**others, "data": {**data, "recipe": {**recipe, "labels": content["labels"]}}}

    @property
    def labels(self) -> LabelScheme:
        """The classes that the network segments."""
        return self.data.recipe.labels

    @property
    def network_settings(self) -> dict[str, Any]:
        """Settings for `create_model`: those of the network, and the number of classes and of input channels."""
        slices = self.data.recipe
        classes = {"classes": len(self.labels)} if len(self.labels) > 1 else {}
        preset = {**NETWORKS, **BASELINES}.get(self.model.name, {}).get("input_channels", 3)
        differs = slices.channels != preset
        channels = {"input_channels": slices.channels} if differs else {}
        return {**classes, **channels, **self.model.settings}
