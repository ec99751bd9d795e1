"""One rule says which label values are the liver."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rma_mamba.errors import ScanError
from rma_mamba.labels import LabelRule, liver_in, liver_in_grey_levels

BINARY = LabelRule(frozenset({1}), frozenset({1}))
ORGANS = LabelRule(frozenset({6}))


@given(liver=hnp.arrays(bool, hnp.array_shapes(max_dims=3, max_side=20)))
def test_a_binary_mask_is_the_same_mask_in_every_encoding(liver: np.ndarray) -> None:
    encodings = (
        liver,
        liver.astype(np.uint8),
        liver * np.uint8(255),
        liver * np.float32(1.0000002),
        liver * np.float64(255),
    )
    for values in encodings:
        for rule in (BINARY, LabelRule()):
            assert np.array_equal(rule.liver_in(values), liver)
            assert rule.unexpected_in(values) == ()
        if values.dtype.kind != "b" and values.max() == 255:
            assert np.array_equal(ORGANS.liver_in(values), liver)
    assert np.array_equal(ORGANS.liver_in(liver * np.int16(6)), liver)


@given(
    values=hnp.arrays(
        st.sampled_from([np.uint8, np.int16, np.float32]),
        (3, 4, 21),
        elements=st.sampled_from([0, 1, 2, 6, 127, 255]),
    ),
    liver=st.sets(st.sampled_from([1, 2, 6, 255])),
)
def test_named_values_are_liver_and_nothing_else_is(values: np.ndarray, liver: set[int]) -> None:
    present = set(np.unique(values).astype(int).tolist()) - {0}
    ambiguous = liver and not liver & present and 255 in present and present != {255}
    if ambiguous:
        with pytest.raises(ScanError, match="255 as well as other values"):
            liver_in(values, liver)
        return
    wanted = {255} if present == {255} else liver or present
    expected = np.isin(values, list(wanted))
    found = liver_in(values, liver)
    assert found.dtype == np.uint8
    assert np.array_equal(found, expected)


def test_a_stray_value_in_a_mask_of_0_and_255_is_an_error_unless_it_is_named() -> None:
    values = np.array([0, 255, 255, 6], np.uint8)
    with pytest.raises(ScanError, match=r"255 as well as other values \(6\)"):
        liver_in(values, {1})
    assert liver_in(values, {6}).tolist() == [0, 0, 0, 1]
    assert liver_in(values, {255}).tolist() == [0, 1, 1, 0]
    assert liver_in(values).tolist() == [0, 1, 1, 1]
    assert liver_in_grey_levels(values).tolist() == [0, 1, 1, 0]


def test_an_ignore_label_in_a_case_without_liver_is_not_an_error() -> None:
    rule = LabelRule(frozenset({1}), frozenset({1, 2}))
    assert rule.liver_in(np.array([0, 2, 255], np.uint8)).tolist() == [0, 0, 0]


@pytest.mark.parametrize("wrong", [[0, 0.5, 1], [0, np.nan, 1], [0, np.inf, 1], [0, 1.002, 1]])
def test_values_between_whole_numbers_are_an_error(wrong: list[float]) -> None:
    with pytest.raises(ScanError, match="not whole numbers"):
        liver_in(np.array(wrong))


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
def test_values_without_a_meaning_are_listed(values: list[float], unexpected: tuple[float]) -> None:
    assert BINARY.unexpected_in(np.array(values)) == unexpected


def test_other_values_can_be_named_as_liver() -> None:
    rule = BINARY.with_liver((127, 255))
    values = np.array([0, 127, 255], np.uint8)
    assert rule.liver_in(values).tolist() == [0, 1, 1]
    assert rule.unexpected_in(values) == ()
    assert ORGANS.with_liver(()) is ORGANS
    assert ORGANS.unexpected_in(np.array([0, 13, -2])) == (-2.0,)


def test_255_is_a_label_like_any_other_where_it_has_a_meaning() -> None:
    spleen = LabelRule(frozenset({63}), frozenset({63, 255}))
    assert spleen.liver_in(np.array([0, 255], np.uint8)).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("levels", "liver"),
    [
        ([0, 1, 1], [0, 1, 1]),
        ([0, 1, 2], [0, 1, 1]),
        ([0, 7, 127, 249, 255], [0, 0, 1, 1, 1]),
        ([0, 63, 64], [0, 0, 1]),
        ([0, 0], [0, 0]),
    ],
)
def test_grey_levels_above_the_artefacts_of_jpeg_are_liver(
    levels: list[int], liver: list[int]
) -> None:
    assert liver_in_grey_levels(np.array(levels, np.uint8)).tolist() == liver


def test_an_empty_file_has_no_liver() -> None:
    assert liver_in(np.zeros((0, 3, 0), np.float32), {1}).shape == (0, 3, 0)
