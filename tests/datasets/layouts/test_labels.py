"""Label values: what is liver, and what should not be there."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rma_mamba.datasets.layouts.labels import LabelRule

BINARY = LabelRule(frozenset({1}), frozenset({1}))
ORGANS = LabelRule(frozenset({6}))


@given(liver=st.lists(st.booleans(), min_size=1, max_size=30))
def test_every_way_to_write_a_binary_mask_is_one_mask(liver: list[bool]) -> None:
    mask = np.array(liver)
    for values in (mask.astype(np.uint8), mask * np.uint8(255), mask * np.float32(1.0000002)):
        assert np.array_equal(BINARY.liver_in(values), mask)
        assert BINARY.unexpected_in(values) == ()
    assert np.array_equal(ORGANS.liver_in(mask * np.int16(6)), mask)


@pytest.mark.parametrize(
    ("values", "unexpected"),
    [
        ([0, 1, 2], (2.0,)),
        ([0, 1, 255], (255.0,)),
        ([0, 0.5, 1], (0.5,)),
        ([-1, 0, 1], (-1.0,)),
        ([0, 127, 255], (127.0, 255.0)),
    ],
)
def test_values_that_mean_nothing_are_named(values: list[float], unexpected: tuple[float]) -> None:
    assert BINARY.unexpected_in(np.array(values)) == unexpected


def test_other_values_may_be_chosen_for_the_liver() -> None:
    rule = BINARY.with_liver((127, 255))
    values = np.array([0, 127, 255], np.uint8)
    assert rule.liver_in(values).tolist() == [0, 1, 1]
    assert rule.unexpected_in(values) == ()
    assert ORGANS.with_liver(()) is ORGANS
    assert ORGANS.unexpected_in(np.array([0, 13, -2])) == (-2.0,)


def test_255_is_a_value_like_others_where_it_means_something() -> None:
    spleen = LabelRule(frozenset({63}), frozenset({63, 255}))
    assert spleen.liver_in(np.array([0, 255], np.uint8)).tolist() == [0, 0]
