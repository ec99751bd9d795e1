"""The classes to be prepared contain the liver wherever its label values are known."""

from functools import partial
from pathlib import Path

import pytest

from layouts import write_folders, write_lits
from rma_mamba.cli.data.opening import open_dataset
from rma_mamba.cli.data.prepared_classes import with_liver
from rma_mamba.errors import ConfigError


@pytest.mark.parametrize("values", [(), (2,)])
def test_a_class_of_lits_is_prepared_beside_the_liver(tmp_path: Path, values) -> None:
    opened = partial(open_dataset, "lits", write_lits(tmp_path), None, patient=None)
    dataset, classes = with_liver(opened, {"tumour": values}, None)
    assert classes == {"liver": (), "tumour": values}
    assert {case.rule.liver for case in dataset.cases} == {frozenset({1, 2})}


def test_a_liver_that_is_named_keeps_its_values(tmp_path: Path) -> None:
    opened = partial(open_dataset, "lits", write_lits(tmp_path), None, patient=None)
    dataset, classes = with_liver(opened, {"liver": (1,), "tumour": (2,)}, None)
    assert classes == {"liver": (1,), "tumour": (2,)}
    assert {case.rule.liver for case in dataset.cases} == {frozenset({1})}


def test_a_folder_names_no_liver_unless_its_values_are_stated(tmp_path: Path) -> None:
    opened = partial(open_dataset, "folders", write_folders(tmp_path), None, patient=None)
    assert with_liver(opened, {"vessel": (3,)}, None)[1] == {"vessel": (3,)}
    assert with_liver(opened, {"vessel": (3,)}, "1,2")[1] == {"liver": (1, 2), "vessel": (3,)}
    with pytest.raises(ConfigError, match="--liver is 'one'"):
        with_liver(opened, {"vessel": (3,)}, "one")
