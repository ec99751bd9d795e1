"""Conversion of a dataset into one folder for training: LPS volumes, a manifest and the data table of a recipe.

>>> prepare(audit(open_dataset("lits", "data/lits")), "prepared/lits")
"""

from rma_mamba.datasets.prepare.manifest import MANIFEST, Manifest, PreparedCase
from rma_mamba.datasets.prepare.preparation import PreparationOptions, prepare
from rma_mamba.datasets.prepare.recipe_data import RECIPE_DATA

__all__ = ["MANIFEST", "RECIPE_DATA", "Manifest", "PreparationOptions", "PreparedCase", "prepare"]
