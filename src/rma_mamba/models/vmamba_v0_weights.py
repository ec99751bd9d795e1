"""Parameter names in VMamba v0 files (.pth of January 2024), for networks with such an encoder.

An ImageNet file initialises `encoder` and everything else that has a counterpart in it, as in the authors' code: the
decoder blocks (`layers_up.i.blocks`) from encoder stage 3 - i, and the norm of the deepest feature map (`norm`), if
there is one. All other parameters keep their values. From a file with more blocks per stage, such as VMamba-S
([2, 2, 27, 2]) for stages of [2, 2, 2, 2] blocks, the first blocks of each stage are used, as the authors do; the rest
is discarded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from torch import Tensor, nn

_WRAPPERS: Final = re.compile(r"^((module|model)\.)+")
_BLOCK: Final = re.compile(r"layers\.(\d+)\.blocks\.(\d+)\.")
_CLASSIFIER: Final = ("head.", "classifier.")
_STAGES: Final = 4


def released_prefixes(network: str) -> dict[str, str]:
    """Renamed prefixes of the authors' files of U-Nets on VMamba v0, whose names all start with that of the network."""
    return {
        f"{network}.patch_embed.": "encoder.patch_embed.",
        f"{network}.layers.": "encoder.layers.",
        f"{network}.": "",
    }


def translate(
    network: nn.Module, state: Mapping[str, Tensor], released: Mapping[str, str]
) -> dict[str, Tensor]:
    """Rename the tensors of a file to the parameters of a network; unknown names stay as they are.

    Args:
        network: Network with a VMamba v0 encoder named `encoder`.
        state: Tensors by name, from an ImageNet file, a file of the network's authors, or one of this package.
        released: Prefixes of names in the authors' files and their replacements; the first match applies.
    """
    state = {_WRAPPERS.sub("", name): tensor for name, tensor in state.items()}
    if any(name.startswith("patch_embed.") for name in state):
        return _from_imagenet(state, network.state_dict())
    return {_own_name(name, released): tensor for name, tensor in state.items()}


def _own_name(name: str, released: Mapping[str, str]) -> str:
    """A name with the first matching prefix replaced."""
    for prefix, own in released.items():
        if name.startswith(prefix):
            return own + name.removeprefix(prefix)
    return name


def _from_imagenet(state: Mapping[str, Tensor], own: dict[str, Tensor]) -> dict[str, Tensor]:
    loaded = {target: tensor for name, tensor in state.items() for target in _targets(name, own)}
    others = (name for name in own if not name.startswith("encoder.") and name not in loaded)
    return {**loaded, **{name: own[name] for name in others}}


def _targets(name: str, own: dict[str, Tensor]) -> list[str]:
    """The parameters that are initialised from a parameter of an ImageNet file."""
    if name.startswith(_CLASSIFIER):
        return []
    if name.startswith("norm."):
        return [name] if name in own else []
    block = _BLOCK.match(name)
    if block is None:
        return [f"encoder.{name}"]
    stage, number = map(int, block.groups())
    mirrored = f"layers_up.{_STAGES - 1 - stage}.{name.split('.', 2)[2]}"
    decoder = [mirrored] if mirrored in own else []
    depth = sum(
        f"encoder.layers.{stage}.blocks.{each}.ln_1.bias" in own for each in range(number + 1)
    )
    return decoder if 0 < depth <= number else [f"encoder.{name}", *decoder]
