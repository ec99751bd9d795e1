"""Benchmarks that were started with rma-mamba 0.1 can be resumed: their recipes have the same fingerprint."""

from pathlib import Path

import pytest

from rma_mamba.experiments.old_fingerprint import recipe_with_old_keys
from rma_mamba.experiments.score_cache import fingerprint
from rma_mamba.training import load_recipe

RECIPE = """
[model]
name = "unet"

[training]
epochs = 3

[data.recipe]
magnifications = [1.0, 1.1]

[[data.sources]]
name = "scans"
kind = "volumes"
cohort = "mine"
images = "images"
labels = "labels"

[[data.sources]]
name = "held out"
kind = "slices"
cohort = "other"
side = "valid"
images = "images2"
labels = "labels2"

[data.splits.mine]
valid = ["1"]
test = ["2"]
"""
# of this recipe, as computed by rma-mamba 0.1.0
FINGERPRINT = "4ecbc2577d22134c9c445a725bf7feff7b3efb684554ec418c3b13e68f82428d"


@pytest.mark.filterwarnings("ignore:.*is deprecated and will be removed:DeprecationWarning")
def test_a_recipe_has_the_fingerprint_of_version_0_1(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE)
    recipe = load_recipe(path).model_dump(mode="json", exclude={"run": {"folder"}})
    assert fingerprint(recipe_with_old_keys(recipe)) == FINGERPRINT
    assert fingerprint(recipe) != FINGERPRINT
