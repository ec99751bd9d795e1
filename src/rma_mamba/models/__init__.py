"""Networks by name, and their weights.

model = create_model("rma-mamba-t", extra_blocks=1)
load_weights(model, "weights.safetensors")
*coarser, finest = model(images)           # logits [slice, 1, height, width]
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any, Final, TypeVar

import pydantic
from torch import nn

from rma_mamba.errors import ConfigError
from rma_mamba.models.baselines.double_unet import DoubleUNet, DoubleUNetConfig
from rma_mamba.models.baselines.mamba_unet import MambaUNet, MambaUNetConfig
from rma_mamba.models.baselines.pvtformer import PVTFormer, PVTFormerConfig
from rma_mamba.models.baselines.resunet_plus_plus import ResUNetPlusPlus, ResUNetPlusPlusConfig
from rma_mamba.models.baselines.transnetr import TransNetR, TransNetRConfig
from rma_mamba.models.baselines.transresunet import TransResUNet, TransResUNetConfig
from rma_mamba.models.baselines.ultralight_vm_unet import UltraLightVMUNet, UltraLightVMUNetConfig
from rma_mamba.models.baselines.unet import UNet, UNetConfig
from rma_mamba.models.baselines.unext import UNeXt, UNeXtConfig
from rma_mamba.models.baselines.vm_unet import VMUNet, VMUNetConfig
from rma_mamba.models.baselines.vm_unet_v2 import VMUNetV2, VMUNetV2Config
from rma_mamba.models.inference import for_inference
from rma_mamba.models.registry import BASELINES, ENCODERS, NETWORKS, PARAMETERS
from rma_mamba.models.rma_mamba import RMAMamba, RMAMambaConfig
from rma_mamba.models.vmamba import VMamba, VMambaConfig
from rma_mamba.models.weights import load_weights

__all__ = ["create_model", "for_inference", "list_models", "load_weights"]


Config = TypeVar("Config", bound=pydantic.BaseModel)

_BASELINES: Final[dict[str, tuple[Callable[[Any], nn.Module], type[pydantic.BaseModel]]]] = {
    "unet": (UNet, UNetConfig),
    "vm-unet": (VMUNet, VMUNetConfig),
    "vm-unet-v2": (VMUNetV2, VMUNetV2Config),
    "ultralight-vm-unet": (UltraLightVMUNet, UltraLightVMUNetConfig),
    "mamba-unet": (MambaUNet, MambaUNetConfig),
    "unext": (UNeXt, UNeXtConfig),
    "transnetr": (TransNetR, TransNetRConfig),
    "transresunet": (TransResUNet, TransResUNetConfig),
    "pvtformer": (PVTFormer, PVTFormerConfig),
    "double-unet": (DoubleUNet, DoubleUNetConfig),
    "resunet-plus-plus": (ResUNetPlusPlus, ResUNetPlusPlusConfig),
}


def list_models() -> list[str]:
    """Names that `create_model` knows."""
    return list(PARAMETERS)


def create_model(name: str, **settings: Any) -> nn.Module:
    """A network with random weights, in training mode.

    Args:
        name: One of `list_models()`.
        settings: Changes to what the name stands for: fields of `RMAMambaConfig`, `VMambaConfig` or of
            the baseline's configuration.

    Raises:
        ConfigError: The name or a setting is unknown, or a value is out of range.
    """
    if name in ENCODERS:
        return VMamba(_configured(VMambaConfig, name, {**ENCODERS[name], **settings}))
    if name in NETWORKS:
        return RMAMamba(_configured(RMAMambaConfig, name, {**NETWORKS[name], **settings}))
    if name in BASELINES:
        network, config = _BASELINES[name]
        made: nn.Module = network(_configured(config, name, {**BASELINES[name], **settings}))
        return made
    raise _unknown(f"model '{name}'", name, list_models())


def _configured(kind: type[Config], name: str, settings: dict[str, Any]) -> Config:
    try:
        return kind(**settings)
    except pydantic.ValidationError as error:
        raise _wrong_setting(kind, name, error) from None


def _wrong_setting(
    kind: type[pydantic.BaseModel], name: str, error: pydantic.ValidationError
) -> ConfigError:
    first = error.errors()[0]
    setting = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return _unknown(f"setting '{setting}' of {name}", setting, list(kind.model_fields))
    return ConfigError(
        f"the setting '{setting}' of {name} is {first['input']!r}; expected: {first['msg']}. Change it."
    )


def _unknown(what: str, name: str, known: list[str]) -> ConfigError:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean '{near[0]}'?" if near else "Choose one of these."
    return ConfigError(f"there is no {what}; expected one of {', '.join(known)}. {hint}")
