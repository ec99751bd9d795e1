"""Names of parameters in VMamba's v0 files (.pth of January 2024), for networks with such an encoder.

An ImageNet file goes into `encoder`, and what else has a counterpart in it starts from it too, as in the code of the
networks' authors: the decoder's blocks (`layers_up.i.blocks`) from those of the encoder's stage 3 - i, and the norm of
the deepest map (`norm`), where there are such. All else keeps its values. A deeper file, such as VMamba-S
([2, 2, 27, 2]) for stages of [2, 2, 2, 2] blocks, gives the first blocks of each stage: its authors' way, and a loss of
what the others had learnt.
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


def adopted(
    network: nn.Module, state: Mapping[str, Tensor], released: Mapping[str, str]
) -> dict[str, Tensor]:
    """A file's tensors by the names of a network's parameters; what does not fit keeps the name that it has.

    Args:
        network: Has a VMamba v0 encoder as `encoder`.
        state: Tensors of an ImageNet file, of the network's authors or of ours, by name.
        released: Beginnings of names in the authors' files, and what they are here; the first that fits counts.
    """
    state = {_WRAPPERS.sub("", name): tensor for name, tensor in state.items()}
    if any(name.startswith("patch_embed.") for name in state):
        return _from_imagenet(state, network.state_dict())
    return {_renamed(name, released): tensor for name, tensor in state.items()}


def _renamed(name: str, beginnings: Mapping[str, str]) -> str:
    """A name with the first of the beginnings that fits exchanged."""
    for beginning, own in beginnings.items():
        if name.startswith(beginning):
            return own + name.removeprefix(beginning)
    return name


def _from_imagenet(state: Mapping[str, Tensor], own: dict[str, Tensor]) -> dict[str, Tensor]:
    given = {target: tensor for name, tensor in state.items() for target in _targets(name, own)}
    kept = {name: tensor for name, tensor in own.items() if not name.startswith("encoder.")}
    return {**given, **{name: tensor for name, tensor in kept.items() if name not in given}}


def _targets(name: str, own: dict[str, Tensor]) -> list[str]:
    """Parameters that start from one of an ImageNet file."""
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
