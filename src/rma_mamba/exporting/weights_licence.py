"""The licence of exported weights. Weights that were trained from the bundled ones inherit theirs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from rma_mamba.models.weights import EMBEDDED, Checkpoint, embedded_weights, read_checkpoint

BUNDLED_LICENCE: Final = "CC BY-NC-SA 4.0, for research only"

_CONFIGURATION = (
    "The configuration and the documentation of this bundle, like the software rma-mamba, are licensed under the "
    "Apache License, Version 2.0: https://www.apache.org/licenses/LICENSE-2.0\n"
)
_BUNDLED = (
    "The weights in models/ are licensed under Creative Commons Attribution-NonCommercial-ShareAlike 4.0 "
    "International (CC BY-NC-SA 4.0), for research only, as the strictest sources of their training data require: "
    "https://creativecommons.org/licenses/by-nc-sa/4.0/legalcode\n"
)
_OTHER = (
    "The weights in models/ belong to those who trained them. No licence has been chosen: ask them before you use "
    "or distribute the weights. If they are yours, replace this paragraph by your licence.\n"
)
DATA_LICENCES = """Licences of the datasets that the bundled weights of rma-mamba were trained with:

CHAOS (doi 10.1016/j.media.2020.101950): CC BY-NC-SA 4.0
BTCV (Synapse syn3193805): cited as CC BY 4.0, research use
LiTS (arXiv:1901.04056): CC BY-NC-SA / ND 4.0
Medical Segmentation Decathlon Task03 (arXiv:2106.05735): CC BY-SA 4.0
"""


def licence_text(content: Checkpoint, licence: str | None = None) -> str:
    """The text of LICENSE in a bundle.

    Args:
        content: The weights.
        licence: Their licence, as chosen by the user; None: that of the bundled weights for these and what was trained
            from them, else none.
    """
    chosen = (
        _OTHER if licence is None else f"The weights in models/ are licensed under: {licence}\n"
    )
    paragraphs = [_BUNDLED] * is_from_bundled(content)
    if licence is not None or not paragraphs:
        paragraphs.append(chosen)
    return "\n".join([*paragraphs, _CONFIGURATION])


def is_from_bundled(content: Checkpoint) -> bool:
    """Whether weights are the bundled ones, or were trained from them."""
    return content.sha256 == _bundled_sha256() or _starts_from(content.provenance)


def _starts_from(provenance: Mapping[str, Any]) -> bool:
    """Whether any of the training runs that led to these weights started from the bundled ones."""
    initial = provenance.get("initial_weights") or {}
    if initial.get("name") == EMBEDDED:
        return True
    members = (*provenance.get("mean_of", []), *provenance.get("ensemble_of", []))
    return any(
        each.get("sha256") == _bundled_sha256() or _starts_from(each.get("provenance", {}))
        for each in members
    )


@cache
def _bundled_sha256() -> str:
    with embedded_weights() as path:
        return read_checkpoint(path).sha256
