"""Check that a network with through-plane context is trained on stacks of slices."""

from __future__ import annotations

from rma_mamba.errors import ConfigError
from rma_mamba.models import sees_whole_scan
from rma_mamba.training.config import Recipe


def check_stacks(recipe: Recipe) -> None:
    """Check that a network that scans along the slices of a batch is not given slices of different scans.

    Raises:
        ConfigError: It would be.
    """
    name = recipe.model.name
    if sees_whole_scan(name, **recipe.network_settings) and not recipe.data.stack_depths:
        raise ConfigError(
            f"the network {name} has through-plane context, and data.stack_depths is empty; expected the numbers of "
            "adjacent slices that it is trained on. Set data.stack_depths=[8] and data.recipe.through_plane_mm=5, or "
            "choose another model.name."
        )
