"""Presets that a network's name stood for in earlier versions, and the settings of weights files that rely on them.

Weights files of these versions state only the settings that differ from the preset. Their parameter names show which
one it was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from torch import Tensor, nn

# Settings that differed from today's preset, latest first.
_NO_LOCAL: Final = {"local_blocks": (0, 0, 0, 0, 0), "decoder_local": 0}
EARLIER_PRESETS: Final[dict[str, tuple[dict[str, Any], ...]]] = {
    "rma-mamba-n": (
        _NO_LOCAL,
        {**_NO_LOCAL, "top_down": False},
        {**_NO_LOCAL, "top_down": False, "half_width": 0, "drop_path": 0.1},
    ),
}


def stored_settings(
    create: Callable[..., nn.Module],
    model: str,
    settings: Mapping[str, Any],
    state: Mapping[str, Tensor],
) -> dict[str, Any]:
    """The settings with which a network has the parameters of a weights file.

    Args:
        create: `create_model`.
        model: Name of the network in the file.
        settings: Settings in the file.
        state: Its parameters and buffers.

    Returns:
        The settings in the file, added to those of an earlier preset if the parameters are those of that one.

    Raises:
        ConfigError: As in `create_model`.
    """
    if model not in EARLIER_PRESETS:
        return dict(settings)
    import torch

    for earlier in ({}, *EARLIER_PRESETS[model]):
        candidate = {**earlier, **settings}
        with torch.device("meta"):
            own = create(model, **candidate).state_dict()
        if own.keys() == state.keys():
            return candidate
    return dict(settings)
