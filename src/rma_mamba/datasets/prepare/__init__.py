"""Conversion of a dataset into one folder for training: LPS volumes, a manifest and the data table of a recipe.

>>> prepare(audit(open_dataset("lits", "data/lits")), "prepared/lits")
"""

from typing import TYPE_CHECKING

from rma_mamba.datasets.prepare.manifest import MANIFEST, Manifest, PreparedCase
from rma_mamba.datasets.prepare.preparation import PreparationOptions, prepare
from rma_mamba.datasets.prepare.recipe_data import RECIPE_DATA
from rma_mamba.deprecation import renamed_attributes

__all__ = ["MANIFEST", "RECIPE_DATA", "Manifest", "PreparationOptions", "PreparedCase", "prepare"]

# Hidden from type checkers, which see the new names only.
if not TYPE_CHECKING:
    __getattr__ = renamed_attributes(
        __name__,
        {
            "Choices": "PreparationOptions",
            "RECIPE_TABLE": "RECIPE_DATA",
        },
    )
