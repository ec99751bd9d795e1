"""Weights in and out of networks. Three kinds of file can be read:

1. VMamba's ImageNet checkpoints (.pth, `model` or `model_ema` inside): the encoder;
2. the RMA-Mamba authors' checkpoints (.pth, a plain state_dict): the whole network;
3. our own (.safetensors): the whole network, with its name, settings, slice recipe and a SHA-256.

A file that does not fit is refused with the names that are missing, unexpected or of another shape.
"""

from __future__ import annotations

import hashlib
import json
import pickle
import re
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from rma_mamba.errors import WeightsError

EMBEDDED: Final = "default"  # name of the weights inside the package

_FORMAT: Final = "rma-mamba weights 1"
_NAMES_SHOWN = 5

# Names of older VMamba files, and parts that only a classifier has. Applied in this order.
_RENAMED: Final = (
    (r"^((module|model)\.)+", ""),  # of wrapped networks, and of training checkpoints
    (r"^patch_embed\.proj\.", "patch_embed.0."),
    (r"^patch_embed\.norm\.", "patch_embed.2."),
    (r"\.ln_1\.", ".norm."),
    (r"\.ln_2\.", ".norm2."),
    (r"\.self_attention\.", ".op."),
    (r"^head\.", "classifier.head."),
    (r"^norm\.", "classifier.norm."),
)
_CLASSIFIER: Final = "classifier."
# VMamba's trainer saves its configuration beside the weights: a dictionary, and read as no more than one.
_CONFIGURATION: Final = "yacs.config.CfgNode"
_OWN_NORMS: Final = re.compile(r"^(encoder\.)?outnorm\d\.")  # not in ImageNet checkpoints


@dataclass(frozen=True)
class Checkpoint:
    """What a weights file of ours holds.

    Args:
        model: Name for `create_model`.
        settings: Settings for `create_model`.
        recipe: Fields of the slice recipe that the network was trained with; may be empty.
        state: Parameters and buffers by name.
        sha256: Of the tensors, as the file says and as it was checked.
    """

    model: str
    settings: dict[str, Any]
    recipe: dict[str, Any]
    state: dict[str, Tensor]
    sha256: str


def embedded_weights(name: str = EMBEDDED) -> AbstractContextManager[Path]:
    """The file of weights inside the package, for as long as a `with` block lasts."""
    return as_file(files("rma_mamba") / "weights" / f"{name}.safetensors")


def encode_checkpoint(
    state: dict[str, Tensor],
    *,
    model: str,
    settings: dict[str, Any],
    recipe: dict[str, Any],
    dtype: torch.dtype = torch.float32,
) -> bytes:
    """A weights file of ours as bytes; floating-point tensors are stored as `dtype`."""
    stored = {
        name: tensor.detach().cpu().to(dtype if tensor.is_floating_point() else tensor.dtype)
        for name, tensor in state.items()
    }
    stored = {name: tensor.contiguous() for name, tensor in stored.items()}
    metadata = {
        "format": _FORMAT,
        "model": model,
        "settings": json.dumps(settings),
        "recipe": json.dumps(recipe),
        "sha256": _digest(stored),
    }
    return save(stored, metadata)


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Read a weights file of ours.

    Raises:
        WeightsError: The file is missing, damaged, or not one of ours.
    """
    metadata, state = _read_safetensors(Path(path))
    if metadata.get("format") != _FORMAT:
        raise WeightsError(
            f"{Path(path).name} is a safetensors file without this package's description; expected "
            "weights made by `rma-mamba train`. Load it into a network with `load_weights`."
        )
    if metadata.get("sha256") != _digest(state):
        raise _damaged(Path(path))
    try:
        settings, recipe = (dict(json.loads(metadata[key])) for key in ("settings", "recipe"))
        return Checkpoint(metadata["model"], settings, recipe, state, metadata["sha256"])
    except (KeyError, ValueError, TypeError, RecursionError):
        raise _damaged(Path(path)) from None


def load_weights(model: nn.Module, path: str | Path, *, fresh: Sequence[str] = ()) -> None:
    """Load a weights file of any of the three kinds into a network; the network is changed only if all fits.

    Args:
        model: A network of `create_model`. An ImageNet checkpoint goes into its encoder, whose four
            output norms and the decoder keep their values. A network with a method `translate_weights`
            (names in files to its own) reads its own kinds of checkpoints instead of the first two.
        path: The file.
        fresh: Beginnings of names that keep their values, whether the file has them or not: parts that a
            training shall start anew.

    Raises:
        WeightsError: The file is missing or damaged, or does not fit the network.
    """
    path = Path(path)
    state = _read_safetensors(path)[1] if path.suffix == ".safetensors" else _read_pickle(path)
    target = model
    if state.keys() != model.state_dict().keys():
        # a network of another kind knows its own kinds of files
        translate = getattr(model, "translate_weights", None)
        target, state = (model, translate(state)) if translate else _into_vmamba(model, state)
    own = target.state_dict()
    state |= {name: tensor for name, tensor in own.items() if name.startswith(tuple(fresh))}
    fitted = {name: _fit(tensor, own.get(name)) for name, tensor in state.items()}
    _check_fit(path, fitted, own)
    target.load_state_dict(fitted)


def _into_vmamba(model: nn.Module, state: dict[str, Tensor]) -> tuple[nn.Module, dict[str, Tensor]]:
    """The part of a network with a VMamba encoder that a file is for, and the file by this part's names."""
    state = {_renamed(name): tensor for name, tensor in state.items()}
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


def _renamed(name: str) -> str:
    for pattern, replacement in _RENAMED:
        name = re.sub(pattern, replacement, name)
    return name


def _fit(tensor: Tensor, own: Tensor | None) -> Tensor:
    # channel-first files hold a Linear's weight as that of a 1x1 convolution
    if own is not None and tensor.ndim == own.ndim + 2 and tensor.shape[-2:] == (1, 1):
        return tensor[..., 0, 0]
    return tensor


def _check_fit(path: Path, state: dict[str, Tensor], own: dict[str, Tensor]) -> None:
    shapes = [
        f"{name} {list(tensor.shape)}, not {list(own[name].shape)}"
        for name, tensor in state.items()
        if name in own and tensor.shape != own[name].shape
    ]
    faults = {
        "missing": [name for name in own if name not in state],
        "unexpected": [name for name in state if name not in own],
        "of another shape": shapes,
    }
    found = "; ".join(f"{kind}: {_listed(names)}" for kind, names in faults.items() if names)
    if found:
        raise WeightsError(
            f"{path.name} does not fit this network ({found}); expected every parameter once. "
            "Create the network with the name and settings that the file was made for."
        )


def _listed(names: list[str]) -> str:
    more = len(names) - _NAMES_SHOWN
    return ", ".join(names[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _read_safetensors(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    _check_there(path)
    try:
        with safe_open(path, framework="pt") as file:
            names = file.keys()
            return file.metadata() or {}, {name: file.get_tensor(name) for name in names}
    except (SafetensorError, OSError, ValueError):
        raise _damaged(path) from None


def _read_pickle(path: Path) -> dict[str, Tensor]:
    _check_there(path)
    try:
        with torch.serialization.safe_globals([(OrderedDict, _CONFIGURATION)]):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        refused = re.search(r"GLOBAL (\S+) was not an allowed global", str(error))
        if refused is None:
            raise _damaged(path) from None
        raise WeightsError(
            f"{path.name} also holds a Python object ({refused[1]}), which could run code; expected a .pth "
            "with tensors only. Save its state_dict alone, where you trust the file, and give that."
        ) from None
    except MemoryError:
        raise
    except Exception:  # torch meets damaged pickles with exceptions of any type
        raise _damaged(path) from None
    for key in ("model", "model_ema", "state_dict"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
            break
    if not isinstance(content, dict) or not content:
        raise _damaged(path)
    if not all(isinstance(tensor, Tensor) for tensor in content.values()):
        raise _damaged(path)
    return {str(name): tensor for name, tensor in content.items()}


def _check_there(path: Path) -> None:
    if not path.is_file():
        raise WeightsError(
            f"there is no weights file {path.name}; expected a .safetensors or .pth file. "
            "Check the path."
        )


def _damaged(path: Path) -> WeightsError:
    return WeightsError(
        f"{path.name} is damaged or no weights file; expected a .safetensors file or a .pth with "
        "tensors only. Get the file again."
    )


def _digest(state: dict[str, Tensor]) -> str:
    sha = hashlib.sha256()
    for name in sorted(state):
        sha.update(name.encode())
        sha.update(state[name].contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return sha.hexdigest()
