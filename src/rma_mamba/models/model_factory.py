"""Networks by name.

To add a network, write a module in `baselines`, and list its classes below and its name in `registry`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any, Final

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
from rma_mamba.models.baselines.unet_3d import UNet3D, UNet3DConfig
from rma_mamba.models.baselines.unext import UNeXt, UNeXtConfig
from rma_mamba.models.baselines.vm_unet import VMUNet, VMUNetConfig
from rma_mamba.models.baselines.vm_unet_v2 import VMUNetV2, VMUNetV2Config
from rma_mamba.models.earlier_presets import stored_settings
from rma_mamba.models.encoder_config import VMambaConfig
from rma_mamba.models.ensemble import Ensemble, EnsembleConfig
from rma_mamba.models.registry import BASELINES, ENCODERS, ENSEMBLE, NETWORKS, PARAMETERS
from rma_mamba.models.rma_mamba import RMAMamba
from rma_mamba.models.rma_mamba_config import RMAMambaConfig
from rma_mamba.models.vmamba import VMamba
from rma_mamba.models.weights import Checkpoint
from rma_mamba.setting_errors import as_config_error

_BASELINES: Final[dict[str, tuple[Callable[[Any], nn.Module], type[pydantic.BaseModel]]]] = {
    "unet": (UNet, UNetConfig),
    "unet-3d": (UNet3D, UNet3DConfig),
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
    """Names accepted by `create_model`."""
    return list(PARAMETERS)


def create_model(name: str, **settings: Any) -> nn.Module:
    """Create a network with random weights, in training mode.

    Args:
        name: One of `list_models()`, or "ensemble": several of them, listed in the setting `members`.
        settings: Overrides of the settings of that name: fields of `RMAMambaConfig`, `VMambaConfig` or the
            configuration of the baseline.

    Raises:
        ConfigError: The name or a setting is unknown, or a value is out of range.
    """
    make, config, preset = _definition(name)
    return make(_build_config(config, name, {**preset, **settings}))


def model_settings(name: str, **settings: Any) -> dict[str, Any]:
    """The whole configuration of a network, including the values of its preset, as JSON holds it.

    `create_model` makes the same network from it, even if the preset of that name changes later.

    Raises:
        ConfigError: As in `create_model`.
    """
    _, config, preset = _definition(name)
    built = _build_config(config, name, {**preset, **settings})
    if isinstance(built, EnsembleConfig):
        return {
            "members": [
                {"model": each.model, "settings": model_settings(each.model, **each.settings)}
                for each in built.members
            ],
            **({"exclusive": True} if built.exclusive else {}),
        }
    return built.model_dump(mode="json")


def sees_whole_scan(name: str, **settings: Any) -> bool:
    """Whether a network's result for a slice depends on the other slices of its scan.

    Raises:
        ConfigError: As in `create_model`.
    """
    _, config, preset = _definition(name)
    return getattr(_build_config(config, name, {**preset, **settings}), "sees_whole_scan", False)


def checkpoint_settings(checkpoint: Checkpoint) -> dict[str, Any]:
    """The whole configuration of the network of a weights file, also if its preset has changed since.

    Raises:
        ConfigError: As in `create_model`.
    """
    name, settings = checkpoint.model, checkpoint.settings
    found = stored_settings(create_model, name, settings, checkpoint.state)
    return model_settings(name, **found)


def _definition(
    name: str,
) -> tuple[Callable[[Any], nn.Module], type[pydantic.BaseModel], dict[str, Any]]:
    """How to make a network, the class of its configuration, and the settings that its name stands for."""
    if name in ENCODERS:
        return VMamba, VMambaConfig, ENCODERS[name]
    if name in NETWORKS:
        return RMAMamba, RMAMambaConfig, NETWORKS[name]
    if name in BASELINES:
        return *_BASELINES[name], BASELINES[name]
    if name == ENSEMBLE:
        return _create_ensemble, EnsembleConfig, {}
    raise _unknown_model_error(name)


def _create_ensemble(config: EnsembleConfig) -> Ensemble:
    members = [create_model(each.model, **each.settings) for each in config.members]
    return Ensemble(members, exclusive=config.exclusive)


def _build_config(
    kind: type[pydantic.BaseModel], name: str, settings: dict[str, Any]
) -> pydantic.BaseModel:
    try:
        return kind(**settings)
    except pydantic.ValidationError as error:
        raise as_config_error(error, kind, name) from None


def _unknown_model_error(name: str) -> ConfigError:
    near = difflib.get_close_matches(name, list_models(), n=1)
    hint = f"Did you mean '{near[0]}'?" if near else "Choose one of these."
    return ConfigError(
        f"unknown model '{name}'; expected one of {', '.join(list_models())}. {hint}"
    )
