"""A dataset of any layout as one folder that trainings read: upright volumes, a manifest, a table for recipes.

>>> prepare(audit(open_dataset("lits", "data/lits")), "prepared/lits")
"""

from rma_mamba.datasets.prepare.manifest import MANIFEST, Manifest, PreparedCase
from rma_mamba.datasets.prepare.preparation import PreparationOptions, prepare
from rma_mamba.datasets.prepare.recipe_data import RECIPE_TABLE

__all__ = ["MANIFEST", "RECIPE_TABLE", "Manifest", "PreparationOptions", "PreparedCase", "prepare"]
