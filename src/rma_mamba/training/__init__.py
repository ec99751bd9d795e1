"""Training of networks, from a recipe to a weights file.

train("recipe.toml", ["training.lr=1e-4"])
"""

from rma_mamba.training.config import Recipe
from rma_mamba.training.recipe import load_recipe, shipped_recipes
from rma_mamba.training.run import train

__all__ = ["Recipe", "load_recipe", "shipped_recipes", "train"]
