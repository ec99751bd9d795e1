"""A dataset of any layout as one folder that trainings read: upright volumes, a manifest, a table for recipes.

>>> prepare(audit(open_dataset("lits", "data/lits")), "prepared/lits")
"""

from rma_mamba.datasets.prepare.manifest import MANIFEST, Manifest, PreparedCase
from rma_mamba.datasets.prepare.prepare import Choices, prepare
from rma_mamba.datasets.prepare.recipe_table import RECIPE_TABLE

__all__ = ["MANIFEST", "RECIPE_TABLE", "Choices", "Manifest", "PreparedCase", "prepare"]
