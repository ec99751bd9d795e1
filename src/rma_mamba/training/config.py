"""The recipe of a training: one TOML file, checked before anything is read or trained."""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, get_args

import pydantic
from pydantic import BaseModel, Field

from rma_mamba.datasets.config import DataConfig, Settings
from rma_mamba.errors import ConfigError


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
    """A file to start from: VMamba's ImageNet weights, released weights, or ours."""

    fresh: tuple[str, ...] = ()
    """Beginnings of the names of parameters that start at random all the same."""


class TrainingConfig(Settings):
    """Optimiser and schedule. The defaults are the paper's."""

    epochs: int = Field(default=500, ge=1)
    """At most."""

    patience: int | None = Field(default=50, ge=1)
    """Epochs without a better validation Dice after which it stops; None: never."""

    batch_size: int = Field(default=16, ge=1)
    """Slices in a step, on each device."""

    optimizer: Literal["adam", "adamw"] = "adam"
    """Adam, or AdamW with decoupled weight decay."""

    lr: float = Field(default=1e-4, gt=0)
    """Learning rate; the highest one with a cosine."""

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


def shipped_recipes() -> list[str]:
    """Names of the recipes inside the package."""
    folder = files("rma_mamba.training") / "recipes"
    return sorted(
        each.name.removesuffix(".toml") for each in folder.iterdir() if each.name.endswith(".toml")
    )


def load_recipe(recipe: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe and apply `KEY=VALUE` overrides.

    Args:
        recipe: A TOML file, or the name of a shipped recipe.
        overrides: As "training.lr=1e-4"; a value is TOML, or else a plain string.

    Raises:
        ConfigError: There is no such recipe, it is no TOML, or a key or value is wrong.
    """
    content = _read(recipe)
    for override in overrides:
        _apply(content, override)
    try:
        return Recipe.model_validate(content)
    except pydantic.ValidationError as error:
        raise _explained(error) from None


def _read(recipe: str | Path) -> dict[str, Any]:
    path = Path(recipe)
    try:
        if path.suffix != ".toml" and not path.exists() and str(recipe) in shipped_recipes():
            text = (files("rma_mamba.training") / "recipes" / f"{recipe}.toml").read_text("utf-8")
        else:
            text = path.read_text("utf-8")
        return tomllib.loads(text)
    except (OSError, UnicodeDecodeError):
        raise ConfigError(
            f"the recipe {path.name} cannot be read; expected a TOML file or one of "
            f"{', '.join(shipped_recipes())}. Check the path."
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            f"the recipe {path.name} is no TOML ({error}); expected tables of KEY = VALUE. Repair it."
        ) from None


def _apply(content: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    *tables, name = key.strip().split(".")
    if not equals or not name:
        raise ConfigError(
            f"the setting '{override}' has no value; expected KEY=VALUE. Write it as training.lr=1e-4."
        )
    for table in tables:
        content = content.setdefault(table, {})
        if not isinstance(content, dict):
            raise ConfigError(
                f"the setting '{key}' goes into '{table}', which is a value; expected a table. "
                "Look at the recipe."
            )
    try:
        content[name] = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        content[name] = text


def _explained(error: pydantic.ValidationError) -> ConfigError:
    first = error.errors()[0]
    where = list(first["loc"])
    setting = ".".join(str(part) for part in where)
    if first["type"] == "extra_forbidden":
        known = list(_model_at(where[:-1]).model_fields)
        near = difflib.get_close_matches(str(where[-1]), known, n=1)
        hint = f"Did you mean '{near[0]}'?" if near else "Remove it."
        return ConfigError(
            f"the recipe has an unknown setting '{setting}'; expected one of {', '.join(known)}. {hint}"
        )
    value = json.dumps(first["input"], default=str)
    found = (
        f"is {value}" if len(value) < 80 and first["type"] != "missing" else "is wrong or missing"
    )
    return ConfigError(
        f"the recipe's setting '{setting}' {found}; expected: {first['msg']}. Change it."
    )


def _model_at(where: list[int | str]) -> type[BaseModel]:
    """The settings class at a place of the recipe."""
    model: type[BaseModel] = Recipe
    for part in where:
        if isinstance(part, str) and part in model.model_fields:
            annotation = model.model_fields[part].annotation
            inner = [annotation, *get_args(annotation)]
            model = next(
                (each for each in inner if isinstance(each, type) and issubclass(each, BaseModel)),
                model,
            )
    return model
