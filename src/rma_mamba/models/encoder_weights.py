"""ImageNet weights of encoders: parameter names in published files, and the networks that use them.

    RESNET   ResNet-50 by torchvision (or timm)      TransNetR, TransResUNet
    VGG      VGG-19 by torchvision                   Double-UNet (first encoder)
    PVT      PVTv2-b3 by timm or by its authors      PVTFormer

The classification head is ignored, and everything outside the encoder keeps its values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from torch import Tensor, nn

_WRAPPERS: Final = re.compile(
    r"^((module|model)\.)+"
)  # prefixes of wrapped networks and of training checkpoints
_LAYER: Final = re.compile(r"layer\d+\.")


@dataclass(frozen=True)
class EncoderNames:
    """Parameter names of an encoder in ImageNet files.

    Args:
        first: A parameter (named as here) that such a file has and a file of a whole network does not.
        head: Prefixes of the classification head.
        renamed: Patterns in the names of other files and their replacements, applied in this order.
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


def translate(
    network: nn.Module, state: Mapping[str, Tensor], names: EncoderNames
) -> dict[str, Tensor]:
    """Rename the tensors of a file to the parameters of a network; unknown names stay as they are.

    Args:
        network: Network with an encoder named `encoder`.
        state: Tensors by name, from an ImageNet file or a file of the whole network.
        names: Parameter names in ImageNet files.
    """
    state = {_own_name(name, names): tensor for name, tensor in state.items()}
    if names.first not in state:
        return state
    own = network.state_dict()
    loaded = {
        f"encoder.{name}": tensor
        for name, tensor in state.items()
        if not name.startswith(names.head) and _has_layer(name, own)
    }
    # Old files have no `num_batches_tracked`.
    others = [n for n in own if not n.startswith("encoder.") or n.endswith(".num_batches_tracked")]
    return {**{name: own[name] for name in others}, **loaded}


def _own_name(name: str, names: EncoderNames) -> str:
    name = _WRAPPERS.sub("", name)
    for pattern, replacement in names.renamed:
        name = re.sub(pattern, replacement, name)
    return name


def _has_layer(name: str, own: Mapping[str, Tensor]) -> bool:
    """False for the fourth layer of a ResNet if the encoder of the network has only three."""
    layer = _LAYER.match(name)
    return layer is None or any(each.startswith(f"encoder.{layer[0]}") for each in own)
