"""The paper's protocol: known cases, and an independent implementation with loops."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from rma_mamba.errors import GridError
from rma_mamba.metrics import hausdorff_mm, paper_per_slice, row_distance_paper, to_paper_size

ROWS, COLUMNS = np.ogrid[:256, :256]
PAIRS = st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(
    lambda shape: arrays.arrays(bool, (2, *shape))
)


def disk(row: float = 127.5, column: float = 127.5, radius: float = 50) -> np.ndarray:
    return (ROWS - row) ** 2 + (COLUMNS - column) ** 2 <= radius**2


def whole_disk() -> np.ndarray:
    return disk(128, 128)


def with_far_blob() -> np.ndarray:
    mask = whole_disk()
    mask[245:255, 245:255] = True
    return mask


@pytest.mark.parametrize(
    ("found", "row_distance", "hausdorff", "dice"),
    [
        (disk(128, 133), 3.16, 5.0, 0.937),
        (disk(133, 128), 0.0, 5.0, 0.937),
        (disk(188, 128), 0.0, 60.0, 0.285),
        (with_far_blob(), 0.0, math.hypot(254 - 163, 254 - 163), 0.994),
        (np.zeros((256, 256), bool), 10.05, math.nan, 0),
        (whole_disk(), 0.0, 0.0, 1.0),
    ],
    ids=["right", "down", "far down", "blob", "empty", "itself"],
)
def test_known_cases_have_their_known_values(found, row_distance, hausdorff, dice) -> None:
    got = paper_per_slice(whole_disk(), found)
    assert got["row_distance_paper"] == pytest.approx(row_distance, abs=0.005)
    assert got["dice"] == pytest.approx(dice, abs=5e-4)
    true_distance = hausdorff_mm(whole_disk(), found, (1, 1))
    # the corner that is furthest from the disk may lie one pixel off the diagonal
    assert true_distance == pytest.approx(
        hausdorff, abs=15 if hausdorff > 100 else 1e-9, nan_ok=True
    )


def test_permuted_rows_have_row_distance_zero() -> None:
    shuffled = np.random.default_rng(0).permutation(whole_disk())
    assert paper_per_slice(whole_disk(), shuffled)["row_distance_paper"] == 0
    assert hausdorff_mm(whole_disk(), shuffled, (1, 1)) > 50


def test_empty_slices_score_as_in_the_paper() -> None:
    nothing = np.zeros((256, 256), bool)
    both = paper_per_slice(nothing, nothing)
    assert both == {**dict.fromkeys(both, 1.0), "row_distance_paper": 0.0}
    false_find = paper_per_slice(nothing, disk())
    assert false_find == pytest.approx({**dict.fromkeys(both, 0.0), "recall": 1.0})
    missed = paper_per_slice(disk(), nothing)
    assert missed["precision"] == 1
    assert [missed[name] for name in ("dice", "iou", "recall", "f2")] == pytest.approx([0] * 4)


def test_the_result_has_the_metrics_of_the_protocol() -> None:
    names = ["dice", "iou", "recall", "precision", "f2", "row_distance_paper"]
    assert list(paper_per_slice(disk(), disk())) == names


def by_loops(true: np.ndarray, found: np.ndarray) -> dict[str, float]:
    """The definition, pixel by pixel and row by row."""
    shared = sum(bool(a and b) for a, b in zip(true.flat, found.flat, strict=True))
    of_true, of_found, tiny = sum(map(int, true.flat)), sum(map(int, found.flat)), 1e-15
    precision, recall = (shared + tiny) / (of_found + tiny), (shared + tiny) / (of_true + tiny)
    furthest = 0.0
    for row in true:
        nearest = min(
            math.sqrt(sum(a != b for a, b in zip(row, other, strict=True))) for other in found
        )
        furthest = max(furthest, nearest)
    return {
        "dice": (2 * shared + tiny) / (of_true + of_found + tiny),
        "iou": (shared + tiny) / (of_true + of_found - shared + tiny),
        "recall": recall,
        "precision": precision,
        "f2": 5 * precision * recall / (4 * precision + recall),
        "row_distance_paper": furthest,
    }


@given(pair=PAIRS)
def test_an_implementation_with_loops_agrees(pair: np.ndarray) -> None:
    assert paper_per_slice(*pair) == pytest.approx(by_loops(*pair), abs=1e-6)


@given(pair=PAIRS)
def test_the_row_distance_agrees_with_loops_in_both_directions(pair: np.ndarray) -> None:
    both = row_distance_paper(*pair), row_distance_paper(pair[1], pair[0])
    assert both == pytest.approx(
        (by_loops(*pair)["row_distance_paper"], by_loops(*pair[::-1])["row_distance_paper"])
    )


@given(mask=arrays.arrays(bool, st.just((8, 4))), factor=st.sampled_from([1, 2, 3]))
def test_resampling_keeps_blocks_of_pixels(mask: np.ndarray, factor: int) -> None:
    """A pattern of blocks on a larger grid is recovered by resampling."""
    large = to_paper_size(np.kron(mask, np.ones((32 * factor, 64 * factor), np.uint8)))
    assert large.shape == (256, 256)
    np.testing.assert_array_equal(large[16::32, 32::64], mask)
    assert large.mean() == pytest.approx(mask.mean(), abs=0.06)


def test_resampling_is_bilinear_between_pixel_centres() -> None:
    half = np.zeros((1, 128), bool)
    half[:, 64:] = True
    assert to_paper_size(half).sum() == 128 * 256
    np.testing.assert_array_equal(to_paper_size(disk()), disk())
    checks = (
        np.indices((512, 512)).sum(axis=0) % 2
    )  # every 2 x 2 block is half liver: not above 0.5
    assert not to_paper_size(checks).any()


def test_arrays_that_are_not_single_slices_are_rejected() -> None:
    with pytest.raises(GridError, match="expected a single slice"):
        paper_per_slice(np.ones((2, 2, 2)), np.ones((2, 2, 2)))
    with pytest.raises(GridError, match="expected a single slice"):
        to_paper_size(np.ones((0, 5)))
    with pytest.raises(GridError, match="expected the same shape"):
        paper_per_slice(np.ones((2, 2)), np.ones((2, 3)))
