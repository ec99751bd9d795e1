"""Reading and writing weights. Three types of file are supported:

1. ImageNet checkpoints of VMamba (.pth with `model` or `model_ema`): the encoder;
2. checkpoints of the RMA-Mamba authors (.pth, a plain state_dict): the whole network;
3. files of this package (.safetensors): the whole network, with its name, settings, slice recipe and SHA-256.

A file that does not match the network raises an error that lists missing, unexpected and wrongly shaped parameters.
"""

from __future__ import annotations

import json
import pickle
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import save
from torch import Tensor, nn

from rma_mamba.errors import WeightsError
from rma_mamba.models.stored_weights import (
    EMBEDDED,
    FORMAT,
    Checkpoint,
    check_exists,
    corrupt_error,
    embedded_weights,
    names_and_bytes_sha256,
    read_safetensors,
    read_stored,
)

__all__ = [
    "EMBEDDED",
    "Checkpoint",
    "embedded_weights",
    "encode_checkpoint",
    "load_weights",
    "read_checkpoint",
    "tensors_sha256",
]

_NAMES_SHOWN = 5
_THIRD_STAGE: Final = re.compile(r"(^|\.)layers\.2\.blocks\.\d+\.norm\.weight$")
_VMAMBA_T: Final = {5: "rma-mamba-t", 8: "rma-mamba-t-s1l8"}  # by the blocks of its third stage
_THIRD_WIDTH_T: Final = 384
_LENGTH: Final = 8  # bytes in which a safetensors file states the length of its header
_ALIGNMENT: Final = 8  # bytes to a multiple of which the header is padded

# Names in older VMamba files, and parts that only a classifier has; applied in this order.
_RENAME_RULES: Final = (
    (r"^((module|model)\.)+", ""),  # prefixes of wrapped networks and of training checkpoints
    (r"^patch_embed\.proj\.", "patch_embed.0."),
    (r"^patch_embed\.norm\.", "patch_embed.2."),
    (r"\.ln_1\.", ".norm."),
    (r"\.ln_2\.", ".norm2."),
    (r"\.self_attention\.", ".op."),
    (r"^head\.", "classifier.head."),
    (r"^norm\.", "classifier.norm."),
)
_CLASSIFIER: Final = "classifier."
# VMamba's trainer saves its configuration with the weights; it is read as a plain dictionary.
_CONFIGURATION: Final = "yacs.config.CfgNode"
_THROUGH_PLANE: Final = "through_plane"
_IMAGE_CHANNELS: Final = 3
_OWN_NORMS: Final = re.compile(r"^(encoder\.)?outnorm\d\.")  # not in ImageNet checkpoints


def encode_checkpoint(
    state: dict[str, Tensor],
    *,
    model: str,
    settings: dict[str, Any],
    recipe: dict[str, Any],
    dtype: torch.dtype = torch.float32,
    provenance: Mapping[str, Any] | None = None,
) -> bytes:
    """Content of a weights file of this package: the same bytes for the same arguments.

    Args:
        state: Parameters and buffers by name.
        model: Name for `create_model`.
        settings: Settings for `create_model`.
        recipe: Fields of the slice recipe.
        dtype: Type in which floating-point tensors are stored.
        provenance: Where the weights come from, as JSON content.
    """
    stored = {
        name: tensor.detach().cpu().to(dtype if tensor.is_floating_point() else tensor.dtype)
        for name, tensor in state.items()
    }
    stored = {name: tensor.contiguous() for name, tensor in stored.items()}
    metadata = {
        "format": FORMAT,
        "model": model,
        "settings": json.dumps(settings),
        "recipe": json.dumps(recipe),
        "sha256": tensors_sha256(stored),
    }
    if provenance:
        metadata["provenance"] = json.dumps(provenance, sort_keys=True)
    return _with_sorted_metadata(save(stored, metadata))


def _with_sorted_metadata(content: bytes) -> bytes:
    """A safetensors file with its metadata in alphabetical order; the library writes them in random order."""
    end = _LENGTH + int.from_bytes(content[:_LENGTH], "little")
    header = json.loads(content[_LENGTH:end])
    metadata = dict(sorted(header.pop("__metadata__").items()))
    text = json.dumps({"__metadata__": metadata, **header}, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    return len(text).to_bytes(_LENGTH, "little") + text + content[end:]


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Read a weights file of this package.

    Raises:
        WeightsError: The file is missing, corrupt, or was not written by this package.
    """
    return read_stored(path, "pt", tensors_sha256)


def load_weights(model: nn.Module, path: str | Path, *, fresh: Sequence[str] = ()) -> None:
    """Load a weights file of any supported type into a network; if it does not match, the network is unchanged.

    Args:
        model: A network from `create_model`. An ImageNet checkpoint is loaded into the encoder; its four output norms
            and the decoder keep their values. A network with a method `translate_weights` (which renames the tensors
            of a file) reads the checkpoint formats of that network instead of the first two. Of a network with several
            classes, the first one takes the weights of a file for one class; the others keep their values. Of a network
            for several scans, each takes an equal share of the first convolution of a file for a single scan.
        path: Path of the weights file.
        fresh: Prefixes of parameters that keep their values even if the file has them: parts to train from scratch.

    Raises:
        WeightsError: The file is missing, corrupt, or does not match the network.
    """
    path = Path(path)
    state = read_safetensors(path, "pt")[1] if path.suffix == ".safetensors" else _read_pickle(path)
    target = model
    if state.keys() != model.state_dict().keys():
        # Networks without a VMamba encoder read other checkpoint formats.
        translate = getattr(model, "translate_weights", None)
        target, state = (model, translate(state)) if translate else _translate_vmamba(model, state)
    own = target.state_dict()
    state |= {name: tensor for name, tensor in own.items() if name.startswith(tuple(fresh))}
    if not any(_THROUGH_PLANE in name for name in state):  # weights of a 2-D network
        state |= {name: tensor for name, tensor in own.items() if _THROUGH_PLANE in name}
    loaded = {name: _match_shape(tensor, own.get(name)) for name, tensor in state.items()}
    _check_match(path, loaded, own)
    target.load_state_dict(loaded)


def _translate_vmamba(
    model: nn.Module, state: dict[str, Tensor]
) -> tuple[nn.Module, dict[str, Tensor]]:
    """The module that a file belongs to (the network or its encoder), and the tensors named as in that module."""
    state = {_own_name(name): tensor for name, tensor in state.items()}
    target = model
    encoder_only = any(name.startswith(_CLASSIFIER) for name in state) or _is_bare_encoder(state)
    if encoder_only and hasattr(model, "encoder"):
        target = model.encoder  # type: ignore[assignment]
    state = {name: tensor for name, tensor in state.items() if not name.startswith(_CLASSIFIER)}
    if encoder_only:
        own = target.state_dict()
        state = {
            **{name: tensor for name, tensor in own.items() if _OWN_NORMS.match(name)},
            **state,
        }
    return target, state


def _is_bare_encoder(state: dict[str, Tensor]) -> bool:
    return any(name.startswith("patch_embed.") for name in state)


def _own_name(name: str) -> str:
    for pattern, replacement in _RENAME_RULES:
        name = re.sub(pattern, replacement, name)
    return name


def _match_shape(tensor: Tensor, own: Tensor | None) -> Tensor:
    # Channels-first files store the weight of a Linear layer as that of a 1x1 convolution.
    if own is not None and tensor.ndim == own.ndim + 2 and tensor.shape[-2:] == (1, 1):
        return tensor[..., 0, 0]
    if own is not None and _has_more_channels(tensor, own):
        return _for_channels(tensor, own)
    if own is not None and _has_more_classes(tensor, own):
        extended = own.clone()
        extended[:1] = tensor
        return extended
    return tensor


def _has_more_classes(tensor: Tensor, own: Tensor) -> bool:
    """Whether a network has a logit map for more classes than a file for one: the first takes its weights."""
    one_class = tensor.ndim > 0 and tensor.shape[0] == 1 and own.ndim == tensor.ndim
    return one_class and own.shape[0] > 1 and own.shape[1:] == tensor.shape[1:]


def _for_channels(tensor: Tensor, own: Tensor) -> Tensor:
    """Weights of a stem for more input channels: each scan of a case gets an equal share of those for a single scan, so
    that scans that are all the same give the same result, and channels of no scan start at zero."""
    extended = torch.zeros_like(own)
    scans, further = own.shape[1] // _IMAGE_CHANNELS, tensor.shape[1] - _IMAGE_CHANNELS
    for number in range(scans):
        first = number * _IMAGE_CHANNELS
        extended[:, first : first + _IMAGE_CHANNELS] = tensor[:, :_IMAGE_CHANNELS] / scans
    if further:
        first = scans * _IMAGE_CHANNELS
        extended[:, first : first + further] = tensor[:, _IMAGE_CHANNELS:]
    return extended


def _has_more_channels(tensor: Tensor, own: Tensor) -> bool:
    """Whether a network's stem has input channels that a file's, for a single scan, does not have."""
    return (
        tensor.ndim == 4
        and tensor.shape[1] in (_IMAGE_CHANNELS, _IMAGE_CHANNELS + 1)
        and _fits(tensor.shape[1], own.shape[1])
        and tensor.shape[:1] + tensor.shape[2:] == own.shape[:1] + own.shape[2:]
    )


def _fits(channels: int, own: int) -> bool:
    """Whether input channels of a file are some of a network's; a fourth one needs its place after those of scans."""
    return channels < own and channels % _IMAGE_CHANNELS <= own % _IMAGE_CHANNELS


def _check_match(path: Path, state: dict[str, Tensor], own: dict[str, Tensor]) -> None:
    shapes = [
        f"{name} {list(tensor.shape)} instead of {list(own[name].shape)}"
        for name, tensor in state.items()
        if name in own and tensor.shape != own[name].shape
    ]
    problems = {
        "missing": [name for name in own if name not in state],
        "unexpected": [name for name in state if name not in own],
        "wrong shape": shapes,
    }
    found = "; ".join(f"{kind}: {_shorten(names)}" for kind, names in problems.items() if names)
    if found:
        raise WeightsError(
            f"{path.name} does not match this network ({found}); expected exactly its parameters. {_advice(state)}"
        )


def _advice(state: dict[str, Tensor]) -> str:
    """What to do with a file of another network; the two variants of VMamba-T have files of similar names."""
    widths = [len(tensor) for name, tensor in state.items() if _THIRD_STAGE.search(name)]
    network = _VMAMBA_T.get(len(widths))
    if network and set(widths) == {_THIRD_WIDTH_T}:
        variant = "s1l8" if network.endswith("s1l8") else "s2l5"
        return f"The file is for VMamba-T {variant}: set model.name={network}, or use a file for this network."
    return "Create the network with the name and settings for which the file was written."


def _shorten(names: list[str]) -> str:
    more = len(names) - _NAMES_SHOWN
    return ", ".join(names[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _read_pickle(path: Path) -> dict[str, Tensor]:
    check_exists(path)
    try:
        with torch.serialization.safe_globals([(OrderedDict, _CONFIGURATION)]):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        forbidden = re.search(r"GLOBAL (\S+) was not an allowed global", str(error))
        if forbidden is None:
            raise corrupt_error(path) from None
        raise WeightsError(
            f"{path.name} also contains a Python object ({forbidden[1]}), which could run code; expected a .pth "
            "file with tensors only. If you trust the file, save its state_dict alone and load that."
        ) from None
    except MemoryError:
        raise
    except Exception:  # torch raises exceptions of any type for corrupt pickles
        raise corrupt_error(path) from None
    for key in ("model", "model_ema", "state_dict"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
            break
    if not isinstance(content, dict) or not content:
        raise corrupt_error(path)
    if not all(isinstance(tensor, Tensor) for tensor in content.values()):
        raise corrupt_error(path)
    return {str(name): tensor for name, tensor in content.items()}


def tensors_sha256(state: Mapping[str, Tensor]) -> str:
    """SHA-256 of tensors with their names, in hexadecimal; independent of their order."""
    return names_and_bytes_sha256(
        {
            name: tensor.contiguous().reshape(-1).view(torch.uint8).numpy()
            for name, tensor in state.items()
        }
    )
