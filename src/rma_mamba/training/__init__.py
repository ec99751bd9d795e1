"""Training of networks, from a recipe to a weights file.

train("recipe.toml", ["training.lr=1e-4"])
"""

from rma_mamba.training.config import Recipe
from rma_mamba.training.curves import read_history
from rma_mamba.training.recipe import load_recipe, shipped_recipes
from rma_mamba.training.run import WEIGHTS_FILE, train

__all__ = [
    "WEIGHTS_FILE",
    "Recipe",
    "load_recipe",
    "read_history",
    "shipped_recipes",
    "train",
]
