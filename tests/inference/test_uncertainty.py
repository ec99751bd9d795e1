"""Agreement is what it says, and what it predicts never falls when it rises."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rma_mamba.inference import Segmenter
from rma_mamba.inference.uncertainty import (
    Agreement,
    calibration,
    entropy_bits,
    judge,
    predict_dice,
)
from rma_mamba.metrics import dice
from rma_mamba.slicing import SliceRecipe
from rma_mamba.volume import Geometry, Volume
from tiny import RECIPE, tiny_network

SHARES = st.floats(0, 1, width=32)
MAPS = hnp.arrays(np.float32, (4, 3, 5), elements=SHARES)
WEIGHTS: Any = calibration()["weights_sha256"]


@given(looks=st.lists(MAPS, min_size=2, max_size=3))
def test_agreement_summed_in_parts_is_that_of_the_whole(looks: list[np.ndarray]) -> None:
    mean = np.mean(looks, axis=0)
    agreement = Agreement(len(looks), 0.5)
    for part in (slice(0, 1), slice(1, 4)):
        agreement.add([look[part] for look in looks], mean[part])
        agreement.add_maps(looks[0][part] - 0.5, looks[1][part] - 0.5)
    found = [look > 0.5 for look in looks]
    pairs = [dice(a, b) for n, a in enumerate(found) for b in found[n + 1 :]]
    assert agreement.found["looks"] == pytest.approx(np.mean(pairs))
    assert agreement.found["maps"] == pytest.approx(dice(found[0], found[1]))
    inside = mean > 0.5
    if inside.any():
        expected = 2 * mean[inside].sum() / (inside.sum() + mean.sum())
        assert agreement.found["expected"] == pytest.approx(expected, rel=1e-5)


def test_nothing_found_anywhere_is_agreement() -> None:
    agreement = Agreement(2, 0.5)
    nothing = np.zeros((1, 2, 2), np.float32)
    agreement.add([nothing, nothing], nothing)
    assert agreement.found == {"expected": 1.0, "looks": 1.0}
    assert judge(agreement.found, 0, 0, WEIGHTS).predicted_dice is None


def test_slices_that_nobody_looked_at_again_hold_nothing_to_agree_on() -> None:
    agreement = Agreement(2, 0.5)
    found = np.full((2, 2, 2), 0.9, np.float32)
    found[1] = 0.01  # no trace: seen once
    agreement.add([found[:1], found[:1]], found)
    agreement.add([found[1:]], found[1:])
    assert agreement.found["looks"] == 1.0
    inside, mass = 4 * 0.9, found.sum() + found[1:].sum()
    assert agreement.found["expected"] == pytest.approx(2 * inside / (4 + mass))


def test_only_the_weights_that_were_measured_get_a_prediction() -> None:
    found = {"expected": 0.9, "looks": 0.9, "maps": 0.9}
    assert judge(found, 10, 10, "of another network").predicted_dice is None
    one_look = {name: found[name] for name in ("expected", "maps")}
    assert judge(one_look, 10, 10, WEIGHTS).predicted_dice is None
    told = judge(found, 10, 5, WEIGHTS)
    assert told.agreements["kept"] == 0.5
    assert told.predicted_dice == pytest.approx(predict_dice(told.agreements))


@given(st.lists(SHARES, min_size=4, max_size=4), st.lists(SHARES, min_size=4, max_size=4))
def test_more_agreement_never_predicts_less(one: list[float], other: list[float]) -> None:
    names = ("expected", "looks", "maps", "kept")
    low = dict(zip(names, map(min, one, other), strict=True))
    high = dict(zip(names, map(max, one, other), strict=True))
    assert 0 <= predict_dice(low) <= predict_dice(high) <= 1


def test_the_prediction_is_worth_something() -> None:
    sure = dict.fromkeys(("expected", "looks", "maps"), 0.97) | {"kept": 1.0}
    unsure = dict.fromkeys(("expected", "looks", "maps", "kept"), 0.6)
    assert predict_dice(sure) > 0.88
    assert predict_dice(unsure) < 0.6


def test_entropy_is_a_bit_where_nothing_is_known() -> None:
    bits = entropy_bits(np.array([0.0, 0.5, 1.0]))
    np.testing.assert_allclose(bits, [0, 1, 0], atol=1e-4)


@given(MAPS)
def test_entropy_does_not_depend_on_how_a_map_is_stored(likely: np.ndarray) -> None:
    bits = entropy_bits(likely)
    np.testing.assert_array_equal(entropy_bits(np.asfortranarray(likely)), bits)
    np.testing.assert_array_equal(entropy_bits(likely[::-1, :, ::2]), bits[::-1, :, ::2])
    np.testing.assert_array_equal(entropy_bits(likely.T), bits.T)
    np.testing.assert_array_equal(entropy_bits(likely.copy(), in_place=True), bits)


def test_a_segmentation_comes_with_its_uncertainty() -> None:
    values = np.random.default_rng(3).integers(0, 900, (26, 22, 7)).astype(np.int16)
    volume = Volume(values, Geometry(values.shape, np.diag([2.0, 2, 6, 1])), "MR")
    recipe = SliceRecipe(**RECIPE, magnifications=(1.0, 1.25))
    result = Segmenter(tiny_network(), recipe)(volume, keep_probabilities=True)
    assert {"expected", "looks", "maps", "kept"} == set(result.uncertainty.agreements)
    assert all(0 <= share <= 1 for share in result.uncertainty.agreements.values())
    assert result.uncertainty.predicted_dice is result.quality.predicted_dice is None
    assert result.uncertainty_bits is not None
    assert result.uncertainty_bits.shape == values.shape
    fast = Segmenter(tiny_network(), recipe, fast=True)(volume)
    assert "looks" not in fast.uncertainty.agreements
    assert fast.uncertainty_bits is None
