"""Networks by name, and their weights.

model = create_model("rma-mamba-t", extra_blocks=1)
load_weights(model, "weights.safetensors")
*coarser, finest = model(images)           # logits [slice, 1, height, width]
"""

from __future__ import annotations

import difflib
from typing import Any

import pydantic
from torch import nn

from rma_mamba.errors import ConfigError
from rma_mamba.models.registry import ENCODERS, NETWORKS, PARAMETERS
from rma_mamba.models.rma_mamba import RMAMamba, RMAMambaConfig
from rma_mamba.models.vmamba import VMamba
from rma_mamba.models.weights import load_weights

__all__ = ["create_model", "list_models", "load_weights"]


def list_models() -> list[str]:
    """Names that `create_model` knows."""
    return list(PARAMETERS)


def create_model(name: str, **settings: Any) -> nn.Module:
    """A network with random weights, in training mode.

    Args:
        name: One of `list_models()`.
        settings: Changes to what the name stands for: fields of `RMAMambaConfig`, or arguments of `VMamba`.

    Raises:
        ConfigError: The name or a setting is unknown, or a value is out of range.
    """
    if name in ENCODERS:
        known = {**ENCODERS[name], "states": 1}
        unknown = sorted(set(settings) - set(known))
        if unknown:
            raise _unknown(f"setting '{unknown[0]}' of {name}", unknown[0], list(known))
        return VMamba(**{**known, **settings})
    if name not in NETWORKS:
        raise _unknown(f"model '{name}'", name, list_models())
    try:
        config = RMAMambaConfig(**{**NETWORKS[name], **settings})
    except pydantic.ValidationError as error:
        raise _wrong_setting(name, error) from None
    return RMAMamba(config)


def _wrong_setting(name: str, error: pydantic.ValidationError) -> ConfigError:
    first = error.errors()[0]
    setting = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return _unknown(
            f"setting '{setting}' of {name}", setting, list(RMAMambaConfig.model_fields)
        )
    return ConfigError(
        f"the setting '{setting}' of {name} is {first['input']!r}; expected: {first['msg']}. Change it."
    )


def _unknown(what: str, name: str, known: list[str]) -> ConfigError:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean '{near[0]}'?" if near else "Choose one of these."
    return ConfigError(f"there is no {what}; expected one of {', '.join(known)}. {hint}")
