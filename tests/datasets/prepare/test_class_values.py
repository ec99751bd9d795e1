"""Several classes are prepared as label maps that a recipe reads without further settings."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from layouts import scan, write_lits, write_nnunet
from prepared import prepared, table
from rma_mamba.datasets.cases import read_cases
from rma_mamba.datasets.layouts import open_dataset
from rma_mamba.datasets.prepare import RECIPE_DATA, PreparationOptions
from rma_mamba.datasets.prepare.class_values import class_values, scheme_of
from rma_mamba.errors import ConfigError
from rma_mamba.training import load_recipe


def test_lits_is_prepared_with_its_tumours(tmp_path: Path) -> None:
    root = write_lits(tmp_path / "lits")
    choices = PreparationOptions(classes={"liver": (), "tumour": ()}, png=True)
    manifest = prepared("lits", root, tmp_path / "out", choices)
    assert manifest.labels.names == ("liver", "tumour")
    assert manifest.labels.inside == {"tumour": "liver"}
    path = next((tmp_path / "out").rglob("labels/130.nii"))
    values = np.asarray(nib.load(path).dataobj)
    _, liver = scan(130)
    assert set(np.unique(values)) == {0, 1, 2}
    assert np.count_nonzero(values) == np.count_nonzero(liver)
    recipe = load_recipe(tmp_path / "out" / RECIPE_DATA)
    assert recipe.labels == manifest.labels
    assert recipe.network_settings["classes"] == 2
    other = load_recipe("paper-lits", [], tmp_path / "out" / RECIPE_DATA)
    assert other.labels == manifest.labels
    (case,) = read_cases(recipe.data, "train")
    assert set(np.unique(case.labels)) == {0, 1, 3}


def test_exclusive_classes_have_disjoint_values(tmp_path: Path) -> None:
    root = write_lits(tmp_path / "lits")
    choices = PreparationOptions(classes={"liver": (1,), "tumour": (2,)})
    manifest = prepared("lits", root, tmp_path / "out", choices)
    assert manifest.labels.exclusive
    assert "inside" not in (tmp_path / "out" / RECIPE_DATA).read_text()


def test_the_liver_alone_is_prepared_as_before(tmp_path: Path) -> None:
    root = write_lits(tmp_path / "lits")
    manifest = prepared("lits", root, tmp_path / "out")
    assert manifest.labels.is_liver_only
    assert "labels]" not in (tmp_path / "out" / RECIPE_DATA).read_text()
    (case,) = read_cases(table(tmp_path / "out"), "train")
    assert set(np.unique(case.labels)) == {0, 1}


def test_a_changed_choice_of_classes_is_prepared_again(tmp_path: Path) -> None:
    root = write_lits(tmp_path / "lits")
    prepared("lits", root, tmp_path / "out")
    choices = PreparationOptions(classes={"liver": (), "tumour": ()})
    prepared("lits", root, tmp_path / "out", choices)
    path = next((tmp_path / "out").rglob("labels/130.nii"))
    assert np.asarray(nib.load(path).dataobj).max() == 2


def test_nnunet_names_its_classes_and_the_liver_includes_the_tumour(tmp_path: Path) -> None:
    cases = open_dataset("nnunet", write_nnunet(tmp_path)).cases
    assert cases[0].classes == {"liver": (1, 2), "tumor": (2,)}
    assert class_values(cases[0], {"liver": (), "tumor": ()}) == {"liver": (1, 2), "tumor": (2,)}
    with pytest.raises(ConfigError, match=r"class 'vessel'; expected one of its classes \(liver"):
        class_values(cases[0], {"vessel": ()})


def test_regions_are_ordered_from_the_outside_to_the_inside() -> None:
    scheme = scheme_of([{"necrosis": (3,), "tumour": (2, 3), "liver": (1, 2, 3), "spleen": (4,)}])
    assert scheme.names == ("liver", "spleen", "tumour", "necrosis")
    assert scheme.inside == {"tumour": "liver", "necrosis": "tumour"}
    with pytest.raises(ConfigError, match="share label values"):
        scheme_of([{"a": (1, 2), "b": (2, 3)}])
