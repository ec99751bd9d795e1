"""The slice recipe is checked, and stored with the weights."""

import pydantic
import pytest

from rma_mamba.conventions import ABDOMEN_WINDOW_HU
from rma_mamba.slicing import SliceRecipe


def test_a_recipe_survives_a_round_trip_through_json() -> None:
    recipe = SliceRecipe(size=192, spacing_mm=None, neighbours=True, threshold=0.4)
    assert SliceRecipe.model_validate_json(recipe.model_dump_json()) == recipe


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": 100},
        {"size": 0},
        {"spacing_mm": 0},
        {"spacing_mm": float("nan")},
        {"ct_window_hu": (240, -160)},
        {"mr_percentiles": (99, 1)},
        {"mr_percentiles": (0, 101)},
        {"threshold": 1},
        {"spacing": 2.0},
    ],
)
def test_an_invalid_recipe_is_an_error(wrong: dict[str, object]) -> None:
    with pytest.raises(pydantic.ValidationError):
        SliceRecipe(**wrong)


def test_the_old_name_of_the_tta_scales_is_accepted_with_a_warning() -> None:
    with pytest.warns(DeprecationWarning, match="'magnifications' is deprecated .* 'tta_scales'"):
        recipe = SliceRecipe.model_validate({"magnifications": (1.0, 1.1)})
    assert recipe == SliceRecipe(tta_scales=(1.0, 1.1))


def test_the_default_window_is_that_of_the_preview() -> None:
    assert SliceRecipe().ct_window_hu == ABDOMEN_WINDOW_HU
