"""Surface distances compared with hand-computed values, two other libraries and a distance transform."""

import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from monai.metrics import (
    compute_average_surface_distance,
    compute_hausdorff_distance,
    compute_surface_dice,
)
from scipy.ndimage import binary_erosion, distance_transform_edt, gaussian_filter

from rma_mamba.errors import GridError
from rma_mamba.metrics import (
    average_surface_distance_mm,
    hausdorff95_mm,
    hausdorff_mm,
    surface_dice,
    surface_distances,
)

SPACINGS = st.tuples(*[st.sampled_from((0.5, 0.8, 1.0, 1.5, 3.0, 7.0))] * 3)
SHAPES = arrays.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=7)
PAIRS = SHAPES.flatmap(lambda shape: arrays.arrays(bool, (2, *shape)))


def box(*bounds: tuple[int, int], shape: tuple[int, ...] = (12, 12, 12)) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[tuple(slice(*each) for each in bounds)] = True
    return mask


def blob(seed: int, shape: tuple[int, int, int] = (40, 36, 24)) -> np.ndarray:
    """A smooth random shape near the centre of its grid."""
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=shape), 4)
    place = [(np.arange(size) - (size - 1) / 2) / (size / 3) for size in shape]
    radius = np.sqrt(sum(axis**2 for axis in np.meshgrid(*place, indexing="ij")))
    return radius + 0.3 * noise / noise.std() < 1


def test_a_shifted_box_has_the_distance_of_its_shift() -> None:
    true, found = box((2, 6), (2, 6), (2, 6)), box((4, 8), (2, 6), (2, 6))
    assert hausdorff_mm(true, found, (3.0, 1.0, 1.0)) == 6
    assert hausdorff_mm(true, found, (0.5, 9.0, 9.0)) == 1


def test_single_voxels_have_the_euclidean_distance() -> None:
    true, found = box((1, 2), (1, 2), (1, 2)), box((4, 5), (3, 4), (1, 2))
    expected = math.hypot(3 * 2.0, 2 * 0.5)
    for distance in (hausdorff_mm, hausdorff95_mm, average_surface_distance_mm):
        assert distance(true, found, (2.0, 0.5, 1.0)) == pytest.approx(expected)


def test_hd95_is_the_larger_of_two_directed_percentiles() -> None:
    # A rod of 20 voxels, and the same rod with an extra voxel at a distance of 10: one of 21 distances is 10.
    true = box((0, 20), (0, 1), (0, 1), shape=(40, 1, 1))
    found = true.copy()
    found[29] = True
    distances = surface_distances(true, found, (1.0, 1.0, 1.0))
    assert distances.hd_mm == 10
    assert distances.hd95_mm == pytest.approx(np.percentile([0] * 20 + [10], 95))
    assert np.percentile([0] * 40 + [10], 95) == 0  # the pooled percentile would be 0
    assert distances.assd_mm == pytest.approx(10 / 41)
    assert distances.surface_dice(2) == pytest.approx(40 / 41)


def test_the_tolerance_is_inclusive_despite_rounding() -> None:
    true, found = box((0, 1), (0, 1), (0, 1)), box((10, 11), (0, 1), (0, 1))
    assert surface_dice(true, found, (0.2, 1, 1), 2.0) == 1
    assert surface_dice(true, found, (0.3, 1, 1), 3.0) == 1
    assert surface_dice(true, found, (0.201, 1, 1), 2.0) == 0


def test_every_case_of_empty_masks_is_defined() -> None:
    full, nothing, spacing = box((2, 5), (2, 5), (2, 5)), np.zeros((12, 12, 12)), (1.0, 1.0, 1.0)
    metrics = (hausdorff_mm, hausdorff95_mm, average_surface_distance_mm)
    assert [metric(nothing, nothing, spacing) for metric in metrics] == [0, 0, 0]
    assert surface_dice(nothing, nothing, spacing) == 1
    for pair in ((full, nothing), (nothing, full)):
        assert all(math.isnan(metric(*pair, spacing)) for metric in (*metrics, surface_dice))


@given(pair=PAIRS, spacing=SPACINGS)
def test_the_tree_agrees_with_a_distance_transform(pair, spacing) -> None:
    assume(pair.any(axis=(1, 2, 3)).all())
    true, found = (mask & ~binary_erosion(mask) for mask in pair)
    of = surface_distances(*pair, spacing)
    expected = distance_transform_edt(~found, sampling=spacing)[true]
    np.testing.assert_allclose(of.from_reference, expected, rtol=1e-12)
    expected = distance_transform_edt(~true, sampling=spacing)[found]
    np.testing.assert_allclose(of.from_prediction, expected, rtol=1e-12)


def monai_metrics(true: np.ndarray, found: np.ndarray, spacing) -> list[float]:
    """MONAI defines the same surface: voxels removed by erosion with face connectivity."""
    masks = [torch.from_numpy(mask[None, None].copy()) for mask in (found, true)]
    of = {"include_background": True, "spacing": list(spacing)}
    with warnings.catch_warnings():  # it warns about its own use of an argument
        warnings.simplefilter("ignore", FutureWarning)
        values = [
            compute_hausdorff_distance(*masks, **of),
            compute_hausdorff_distance(*masks, percentile=95, **of),
            compute_average_surface_distance(*masks, symmetric=True, **of),
            # slightly above 2 mm, because its float32 distances are rounded
            compute_surface_dice(*masks, [2.0005], **of),
        ]
    return [float(value) for value in values]


def own_metrics(true: np.ndarray, found: np.ndarray, spacing) -> list[float]:
    of = surface_distances(true, found, spacing)
    return [of.hd_mm, of.hd95_mm, of.assd_mm, of.surface_dice(2.0)]


@given(pair=PAIRS, spacing=SPACINGS)
def test_monai_agrees_on_random_masks(pair, spacing) -> None:
    assume(pair.any(axis=(1, 2, 3)).all())
    assert own_metrics(*pair, spacing) == pytest.approx(
        monai_metrics(*pair, spacing), rel=1e-5, abs=1e-5
    )


@pytest.mark.parametrize("seed", range(3))
def test_monai_agrees_on_smooth_shapes(seed: int) -> None:
    spacing = (1.5, 1.5, 5.0)
    true, found = blob(seed), blob(seed + 10)
    expected = monai_metrics(true, found, spacing)
    assert own_metrics(true, found, spacing) == pytest.approx(expected, rel=1e-5)
    with pytest.raises(AssertionError):
        assert own_metrics(true, found, spacing[::-1]) == pytest.approx(expected, rel=1e-5)


def deepmind_metrics(true: np.ndarray, found: np.ndarray, spacing) -> list[float]:
    with warnings.catch_warnings():  # it uses deprecated names of SciPy
        warnings.simplefilter("ignore", DeprecationWarning)
        import surface_distance as deepmind

        of = deepmind.compute_surface_distances(true, found, spacing)
    averages = deepmind.compute_average_surface_distance(of)
    return [
        deepmind.compute_robust_hausdorff(of, 100),
        deepmind.compute_robust_hausdorff(of, 95),
        sum(averages) / 2,
        deepmind.compute_surface_dice_at_tolerance(of, 2.0),
    ]


# DeepMind's surface lies between voxels: its points are corners of voxels, each at most half a voxel diagonal from
# the centre of a surface voxel, and vice versa. Distances may therefore differ by one diagonal. It also weights
# points by their area, which changes percentiles, means and fractions; for smooth shapes, by less than these.
SHARE = 0.12


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.8, 0.8, 2.0)])
def test_deepmind_surface_distances_agree_within_a_voxel(seed: int, spacing) -> None:
    true, found = blob(seed), np.roll(blob(seed + 10), 2, axis=1)
    expected, got = (metrics(true, found, spacing) for metrics in (deepmind_metrics, own_metrics))
    assert got[:3] == pytest.approx(expected[:3], abs=math.hypot(*spacing))
    assert got[2] == pytest.approx(expected[2], abs=math.hypot(*spacing) / 2)
    assert got[3] == pytest.approx(expected[3], abs=SHARE)
    assert expected[3] < 1 - SHARE  # so that the comparison can fail


@given(pair=PAIRS, spacing=SPACINGS)
def test_deepmind_hausdorff_distances_agree_within_a_voxel_diagonal(pair, spacing) -> None:
    assume(pair.any(axis=(1, 2, 3)).all())
    padded = np.pad(pair, ((0, 0), (1, 1), (1, 1), (1, 1)))
    expected = deepmind_metrics(*padded, spacing)[0]
    assert hausdorff_mm(*pair, spacing) == pytest.approx(expected, abs=math.hypot(*spacing) + 1e-9)


def test_two_dimensional_masks_have_distances() -> None:
    true, found = box((1, 4), (1, 4), shape=(9, 9)), box((1, 4), (3, 6), shape=(9, 9))
    assert hausdorff_mm(true, found, (5.0, 2.0)) == 4


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (1.0, 0.0, 1.0), (1.0, math.nan, 1.0)])
def test_invalid_spacings_are_rejected(spacing) -> None:
    with pytest.raises(GridError, match="expected 3 positive numbers"):
        hausdorff_mm(np.ones((2, 2, 2)), np.ones((2, 2, 2)), spacing)
