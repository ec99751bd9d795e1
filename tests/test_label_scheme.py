"""Classes by name, as bits for training and as label maps in files."""

import numpy as np
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rma_mamba.label_scheme import LabelScheme

LIVER = LabelScheme()
NESTED = LabelScheme(names=("liver", "tumour"), inside={"tumour": "liver"})
EXCLUSIVE = LabelScheme(names=("liver", "tumour"), liver=("liver", "tumour"))
ORGANS = LabelScheme(
    names=("liver", "spleen", "tumour", "necrosis"),
    inside={"tumour": "liver", "necrosis": "tumour"},
)


def test_the_liver_alone_has_the_same_bits_and_map() -> None:
    labels = np.array([0, 1, 1], np.uint8)
    assert LIVER.is_liver_only
    assert LIVER.map_of(labels).tolist() == LIVER.bits_of(labels).tolist() == [0, 1, 1]
    assert LIVER.liver_in(labels).tolist() == [0, 1, 1]


def test_a_region_includes_those_inside_it() -> None:
    values = np.arange(5, dtype=np.uint8)
    assert ORGANS.values_of("liver") == (1, 3, 4)
    assert ORGANS.in_class(values, "liver").tolist() == [False, True, False, True, True]
    assert ORGANS.in_class(values, "tumour").tolist() == [False, False, False, True, True]
    assert ORGANS.bits_of(values).tolist() == [0, 0b0001, 0b0010, 0b0101, 0b1101]
    assert not ORGANS.exclusive


def test_the_liver_as_an_organ_is_the_class_of_that_name_unless_stated() -> None:
    assert LabelScheme(names=("liver", "tumour")).liver_values == (1,)
    assert EXCLUSIVE.liver_values == (1, 2)
    assert NESTED.liver_values == (1, 2)
    assert LabelScheme(names=("segment-1", "segment-2")).liver_values == (1, 2)


@given(values=st.lists(st.integers(0, 4), min_size=1))
def test_a_label_map_survives_the_conversion_to_bits(values: list[int]) -> None:
    label_map = np.array(values, np.uint8)
    assert np.array_equal(ORGANS.map_of(ORGANS.bits_of(label_map)), label_map)
    assert np.array_equal(
        ORGANS.join(list(ORGANS.split(ORGANS.bits_of(label_map)))), ORGANS.bits_of(label_map)
    )


@pytest.mark.parametrize(
    "settings",
    [
        {"names": []},
        {"names": ["liver", "Liver"]},
        {"names": ["a b"]},
        {"names": [f"c{n}" for n in range(9)]},
        {"names": ["tumour", "liver"], "inside": {"tumour": "liver"}},
        {"names": ["liver"], "inside": {"tumour": "liver"}},
        {"names": ["liver"], "inside": {"liver": "liver"}},
        {"names": ["liver"], "liver": ["organ"]},
    ],
)
def test_an_inconsistent_scheme_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(pydantic.ValidationError):
        LabelScheme.model_validate(settings)
