"""Create networks by name and load their weights.

model = create_model("rma-mamba-t", extra_blocks=1)
load_weights(model, "weights.safetensors")
*coarser, finest = model(images)           # logits [slice, 1, height, width]

Names are imported on first use, and torch with them. To add a network, see `model_factory`.
"""

from typing import TYPE_CHECKING

from rma_mamba.lazy_attributes import lazy_attributes

if TYPE_CHECKING:
    from rma_mamba.models.deployment import for_inference
    from rma_mamba.models.model_factory import (
        checkpoint_settings,
        create_model,
        list_models,
        model_settings,
        sees_whole_scan,
    )
    from rma_mamba.models.weights import load_weights

__all__ = [
    "checkpoint_settings",
    "create_model",
    "for_inference",
    "list_models",
    "load_weights",
    "model_settings",
    "sees_whole_scan",
]

_MODULES = {
    "checkpoint_settings": "model_factory",
    "create_model": "model_factory",
    "for_inference": "deployment",
    "list_models": "model_factory",
    "load_weights": "weights",
    "model_settings": "model_factory",
    "sees_whole_scan": "model_factory",
}

# Hidden from type checkers, which see the imports above.
if not TYPE_CHECKING:
    __getattr__ = lazy_attributes(__name__, _MODULES)


def __dir__() -> list[str]:
    return __all__
