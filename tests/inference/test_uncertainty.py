"""Agreement is computed correctly, and the estimated Dice never falls when it rises."""

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
    estimate_dice,
    estimate_uncertainty,
)
from rma_mamba.metrics import dice
from rma_mamba.slicing import SliceRecipe
from rma_mamba.volume import Geometry, Volume
from tiny import RECIPE, tiny_network

SHARES = st.floats(0, 1, width=32)
MAPS = hnp.arrays(np.float32, (4, 3, 5), elements=SHARES)
WEIGHTS: Any = calibration()["weights_sha256"]


@given(scales=st.lists(MAPS, min_size=2, max_size=3))
def test_agreement_accumulated_in_parts_equals_that_of_the_whole(scales: list[np.ndarray]) -> None:
    mean = np.mean(scales, axis=0)
    agreement = Agreement(len(scales), 0.5)
    for part in (slice(0, 1), slice(1, 4)):
        agreement.add([scale[part] for scale in scales], mean[part])
        agreement.add_maps(scales[0][part] - 0.5, scales[1][part] - 0.5)
    found = [scale > 0.5 for scale in scales]
    pairs = [dice(a, b) for n, a in enumerate(found) for b in found[n + 1 :]]
    assert agreement.shares["tta"] == pytest.approx(np.mean(pairs))
    assert agreement.shares["maps"] == pytest.approx(dice(found[0], found[1]))
    inside = mean > 0.5
    if inside.any():
        expected = 2 * mean[inside].sum() / (inside.sum() + mean.sum())
        assert agreement.shares["expected"] == pytest.approx(expected, rel=1e-5)


def test_empty_predictions_count_as_agreement() -> None:
    agreement = Agreement(2, 0.5)
    nothing = np.zeros((1, 2, 2), np.float32)
    agreement.add([nothing, nothing], nothing)
    assert agreement.shares == {"expected": 1.0, "tta": 1.0}
    assert estimate_uncertainty(agreement.shares, 0, 0, WEIGHTS).estimated_dice is None


def test_slices_segmented_at_one_scale_only_do_not_count_as_agreement() -> None:
    agreement = Agreement(2, 0.5)
    found = np.full((2, 2, 2), 0.9, np.float32)
    found[1] = 0.01  # no trace of liver: segmented at one scale
    agreement.add([found[:1], found[:1]], found)
    agreement.add([found[1:]], found[1:])
    assert agreement.shares["tta"] == 1.0
    inside, mass = 4 * 0.9, found.sum() + found[1:].sum()
    assert agreement.shares["expected"] == pytest.approx(2 * inside / (4 + mass))


def test_only_the_weights_used_in_the_fit_get_an_estimate() -> None:
    shares = {"expected": 0.9, "tta": 0.9, "maps": 0.9}
    assert estimate_uncertainty(shares, 10, 10, "of another network").estimated_dice is None
    one_scale = {name: shares[name] for name in ("expected", "maps")}
    assert estimate_uncertainty(one_scale, 10, 10, WEIGHTS).estimated_dice is None
    uncertainty = estimate_uncertainty(shares, 10, 5, WEIGHTS)
    assert uncertainty.agreements["kept"] == 0.5
    assert uncertainty.estimated_dice == pytest.approx(estimate_dice(uncertainty.agreements))


@given(st.lists(SHARES, min_size=4, max_size=4), st.lists(SHARES, min_size=4, max_size=4))
def test_more_agreement_never_lowers_the_estimate(one: list[float], other: list[float]) -> None:
    names = ("expected", "tta", "maps", "kept")
    low = dict(zip(names, map(min, one, other), strict=True))
    high = dict(zip(names, map(max, one, other), strict=True))
    assert 0 <= estimate_dice(low) <= estimate_dice(high) <= 1


def test_the_estimate_separates_good_masks_from_bad_ones() -> None:
    good = dict.fromkeys(("expected", "tta", "maps"), 0.97) | {"kept": 1.0}
    bad = dict.fromkeys(("expected", "tta", "maps", "kept"), 0.6)
    assert estimate_dice(good) > 0.88
    assert estimate_dice(bad) < 0.6


def test_entropy_is_one_bit_at_a_probability_of_one_half() -> None:
    bits = entropy_bits(np.array([0.0, 0.5, 1.0]))
    np.testing.assert_allclose(bits, [0, 1, 0], atol=1e-4)


@given(MAPS)
def test_entropy_does_not_depend_on_memory_order(likely: np.ndarray) -> None:
    bits = entropy_bits(likely)
    np.testing.assert_array_equal(entropy_bits(np.asfortranarray(likely)), bits)
    np.testing.assert_array_equal(entropy_bits(likely[::-1, :, ::2]), bits[::-1, :, ::2])
    np.testing.assert_array_equal(entropy_bits(likely.T), bits.T)
    np.testing.assert_array_equal(entropy_bits(likely.copy(), in_place=True), bits)


def test_a_segmentation_comes_with_its_uncertainty() -> None:
    values = np.random.default_rng(3).integers(0, 900, (26, 22, 7)).astype(np.int16)
    volume = Volume(values, Geometry(values.shape, np.diag([2.0, 2, 6, 1])), "MR")
    recipe = SliceRecipe(**RECIPE, tta_scales=(1.0, 1.25))
    result = Segmenter(tiny_network(), recipe)(volume, keep_probabilities=True)
    assert {"expected", "tta", "maps", "kept"} == set(result.uncertainty.agreements)
    assert all(0 <= share <= 1 for share in result.uncertainty.agreements.values())
    assert result.uncertainty.estimated_dice is result.quality.estimated_dice is None
    assert result.uncertainty_bits is not None
    assert result.uncertainty_bits.shape == values.shape
    fast = Segmenter(tiny_network(), recipe, fast=True)(volume)
    assert "tta" not in fast.uncertainty.agreements
    assert fast.uncertainty_bits is None
