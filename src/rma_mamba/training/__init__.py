"""Training of networks, from a recipe to a weights file.

train("recipe.toml", ["training.lr=1e-4"])

Recipes can be loaded with the core package alone; training requires the extra `train`.
"""

from typing import TYPE_CHECKING

from rma_mamba.deprecation import renamed_attributes
from rma_mamba.training.config import WEIGHTS_FILE, Recipe
from rma_mamba.training.cross_validation import fold_weights, train_folds
from rma_mamba.training.fold_settings import CrossValidation
from rma_mamba.training.history import read_history
from rma_mamba.training.recipe_loading import bundled_recipes, load_recipe, merge_recipe
from rma_mamba.training.training_run import pretrain, require_training_packages, train

__all__ = [
    "WEIGHTS_FILE",
    "CrossValidation",
    "Recipe",
    "bundled_recipes",
    "fold_weights",
    "load_recipe",
    "merge_recipe",
    "pretrain",
    "read_history",
    "require_training_packages",
    "train",
    "train_folds",
]

# Hidden from type checkers, which see the new names only.
if not TYPE_CHECKING:
    __getattr__ = renamed_attributes(
        __name__,
        {
            "shipped_recipes": "bundled_recipes",
        },
    )
