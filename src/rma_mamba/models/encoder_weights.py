"""ImageNet weights of encoders: how files name them, and into which networks they go.

    RESNET   ResNet-50 by torchvision (or timm)      TransNetR, TransResUNet
    VGG      VGG-19 by torchvision                   Double-UNet, its first encoder
    PVT      PVTv2-b3 by timm or by its authors      PVTFormer

The classifier's head is left out; all that is not the encoder keeps its values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from torch import Tensor, nn

_WRAPPERS: Final = re.compile(
    r"^((module|model)\.)+"
)  # of wrapped networks, and of training checkpoints
_LAYER: Final = re.compile(r"layer\d+\.")


@dataclass(frozen=True)
class EncoderNames:
    """What an ImageNet file calls an encoder's parameters.

    Args:
        first: A name, here, that such a file has and a file of a whole network has not.
        head: Beginnings of the classifier's names.
        renamed: Patterns in other files' names, and what they are here; applied in this order.
    """

    first: str
    head: tuple[str, ...]
    renamed: tuple[tuple[str, str], ...] = ()


RESNET: Final = EncoderNames("conv1.weight", ("fc.",))
VGG: Final = EncoderNames("features.0.weight", ("classifier.",))
PVT: Final = EncoderNames(
    "patch_embed.proj.weight",
    ("head.",),
    (
        (r"^patch_embed1\.", "patch_embed."),
        *((rf"^patch_embed{n + 1}\.", f"stages.{n}.downsample.") for n in range(1, 4)),
        *((rf"^block{n + 1}\.", f"stages.{n}.blocks.") for n in range(4)),
        *((rf"^norm{n + 1}\.", f"stages.{n}.norm.") for n in range(4)),
        (r"\.dwconv\.dwconv\.", ".dwconv."),
    ),
)


def adopted(
    network: nn.Module, state: Mapping[str, Tensor], names: EncoderNames
) -> dict[str, Tensor]:
    """A file's tensors by the names of a network's parameters; what does not fit keeps the name that it has.

    Args:
        network: Has the encoder as `encoder`.
        state: Tensors of an ImageNet file, or of a whole network, by name.
        names: What an ImageNet file calls them.
    """
    state = {_renamed(name, names): tensor for name, tensor in state.items()}
    if names.first not in state:
        return state
    own = network.state_dict()
    given = {
        f"encoder.{name}": tensor
        for name, tensor in state.items()
        if not name.startswith(names.head) and _has_layer(name, own)
    }
    # old files do not count the batches that a normalisation saw
    kept = [n for n in own if not n.startswith("encoder.") or n.endswith(".num_batches_tracked")]
    return {**{name: own[name] for name in kept}, **given}


def _renamed(name: str, names: EncoderNames) -> str:
    name = _WRAPPERS.sub("", name)
    for pattern, replacement in names.renamed:
        name = re.sub(pattern, replacement, name)
    return name


def _has_layer(name: str, own: Mapping[str, Tensor]) -> bool:
    """False for a ResNet's fourth layer where a network has no such layer."""
    layer = _LAYER.match(name)
    return layer is None or any(each.startswith(f"encoder.{layer[0]}") for each in own)
