"""Create networks by name and load their weights.

model = create_model("rma-mamba-t", extra_blocks=1)
load_weights(model, "weights.safetensors")
*coarser, finest = model(images)           # logits [slice, 1, height, width]

Names are imported on first use, and torch with them. To add a network, see `model_factory`.
"""

from typing import TYPE_CHECKING, Any

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

    def __getattr__(name: str) -> Any:
        import importlib

        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return __all__
