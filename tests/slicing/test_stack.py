"""The network sees every scan in one orientation, and its mask is on the scan's own grid."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orders import ORDERS, back, reordered
from rma_mamba.errors import GridError
from rma_mamba.slicing import SlicePlan, SliceRecipe, SliceStack, to_mask, to_slices
from rma_mamba.volume import Geometry, Volume

SMALL = SliceRecipe(size=32, spacing_mm=2.0)


def scan(
    shape: tuple[int, int, int] = (20, 17, 5),
    spacing: tuple[float, float, float] = (1.3, 1.9, 5.5),
    angle: float = 0.0,
    seed: int = 0,
) -> Volume:
    c, s = np.cos(angle), np.sin(angle)
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ np.array(
        [[1, 0, 0], [0, c, -s], [0, s, c]]
    )
    affine = np.eye(4)
    affine[:3, :3] = turn * spacing
    affine[:3, 3] = (-31, 17, 4.5)
    values = np.random.default_rng(seed).integers(0, 900, shape).astype(np.int16)
    return Volume(values, Geometry(shape, affine), "MR")


@given(
    order=st.sampled_from(ORDERS),
    shape=st.tuples(st.integers(2, 24), st.integers(2, 24), st.integers(2, 6)),
    angle=st.sampled_from([0.0, 0.2, -0.35]),
    neighbours=st.booleans(),
    spacing_mm=st.sampled_from([None, 2.0]),
)
@settings(max_examples=60, deadline=None)
def test_slices_and_mask_do_not_depend_on_the_axis_order(
    order: tuple[tuple[int, ...], tuple[int, ...]],
    shape: tuple[int, int, int],
    angle: float,
    neighbours: bool,
    spacing_mm: float | None,
) -> None:
    volume = scan(shape, angle=angle)
    recipe = SliceRecipe(size=32, spacing_mm=spacing_mm, neighbours=neighbours)
    other_order = reordered(volume, order)
    slices = to_slices(volume, recipe)
    assert np.array_equal(slices, to_slices(other_order, recipe))
    logits = np.random.default_rng(1).normal(size=slices[:, :1].shape).astype(np.float32)
    mask, other = to_mask(logits, recipe, volume), to_mask(logits, recipe, other_order)
    assert np.array_equal(mask.labels, back(other.labels, order))
    assert np.array_equal(other.geometry.affine, other_order.geometry.affine)
    assert other.labels.shape == other_order.values.shape


def test_a_mirrored_scan_gives_different_slices() -> None:
    volume = scan()
    mirrored = Volume(volume.values[::-1], volume.geometry, "MR")
    assert not np.array_equal(to_slices(volume, SMALL), to_slices(mirrored, SMALL))


def test_slices_show_the_patient_as_radiologists_do() -> None:
    """Inferior to superior; rows towards posterior, columns towards the patient's left."""
    values = np.zeros((20, 20, 4), np.int16)
    values[15:, 15:, 3] = 500  # right, anterior, superior, on RAS axes
    volume = Volume(values, Geometry(values.shape, np.diag([2.0, 2.0, 5.0, 1.0])), "MR")
    bright = np.argwhere(to_slices(volume, SMALL)[:, 0] > 0.5)
    assert set(bright[:, 0]) == {3}
    assert bright[:, 1].max() < 16
    assert bright[:, 2].max() < 16


@pytest.mark.parametrize("spacing", [(2.0, 2.0, 5.0), (1.2, 1.7, 4.0), (2.6, 3.1, 9.0)])
@pytest.mark.parametrize("spacing_mm", [None, 2.0])
def test_the_mask_inverts_the_resampling_of_the_slices(
    spacing: tuple[float, float, float], spacing_mm: float | None
) -> None:
    shape = (40, 36, 6)
    x, y, z = np.meshgrid(*map(np.arange, shape), indexing="ij")
    inside = ((x - 22) / 11) ** 2 + ((y - 15) / 9) ** 2 + ((z - 2.5) / 3) ** 2 < 1
    volume = Volume(inside.astype(np.uint8), Geometry(shape, np.diag([*spacing, 1.0])), "MR")
    recipe = SliceRecipe(size=64, spacing_mm=spacing_mm)
    plan = SlicePlan(volume.geometry, recipe)
    seen = plan.to_canvas(volume.geometry.canonical.apply(volume.values))
    labels = to_mask((20 * (seen - 0.5))[:, None], recipe, volume).labels
    dice = 2 * np.sum(labels * inside) / (labels.sum() + inside.sum())
    assert dice > 0.97
    if spacing[:2] == (2.0, 2.0) and spacing_mm == 2.0:
        assert np.array_equal(labels, inside)


def test_a_range_of_slices_equals_the_same_part_of_the_stack() -> None:
    volume = scan((12, 12, 9))
    recipe = SliceRecipe(size=32, spacing_mm=2.0, neighbours=True)
    whole, stack = to_slices(volume, recipe), SliceStack(volume, recipe)
    for start, stop in ((0, 1), (0, 4), (3, 7), (8, 9), (0, 9)):
        assert np.array_equal(stack[start:stop], whole[start:stop])


def test_the_channels_are_the_slice_below_the_slice_and_the_slice_above() -> None:
    volume = scan((12, 12, 5))
    single = to_slices(volume, SMALL)
    assert np.array_equal(single[:, 0], single[:, 1])
    assert np.array_equal(single[:, 0], single[:, 2])
    three = to_slices(volume, SMALL.model_copy(update={"neighbours": True}))
    assert np.array_equal(three[:, 1], single[:, 1])
    assert np.array_equal(three[1:, 0], single[:-1, 1])
    assert np.array_equal(three[:-1, 2], single[1:, 1])
    assert np.array_equal(three[0, 0], single[0, 1])
    assert np.array_equal(three[-1, 2], single[-1, 1])


@pytest.mark.parametrize("shape", [(4, 1, 32, 32), (5, 2, 32, 32), (5, 1, 64, 32), (5, 32, 32)])
def test_logits_of_another_scan_are_rejected(shape: tuple[int, ...]) -> None:
    with pytest.raises(GridError, match="expected"):
        to_mask(np.zeros(shape, np.float32), SMALL, scan())


def test_a_fourth_channel_states_whether_intensities_are_hounsfield_units() -> None:
    recipe = SliceRecipe(size=32, spacing_mm=2.0, modality_plane=True)
    mr = scan()
    ct = Volume(mr.values - 1000, mr.geometry, "CT")
    windowed = Volume((mr.values % 256).astype(np.uint8), mr.geometry, "CT")
    for volume, expected in ((mr, 0), (ct, 1), (windowed, 0)):
        slices = to_slices(volume, recipe)
        assert slices.shape[1] == recipe.channels == 4
        assert (slices[:, 3] == expected).all()


def test_neighbours_in_a_stack_are_a_step_away() -> None:
    volume = scan((20, 17, 9), spacing=(1.3, 1.9, 2.5))
    recipe = SliceRecipe(size=32, spacing_mm=2.0, neighbours=True, through_plane_mm=5.0)
    stack = SliceStack(volume, recipe)
    assert stack.step == 2
    middle = stack[0:9][:, 1]
    every_other = stack[1:9:2]
    assert np.array_equal(every_other[1, 0], middle[1])
    assert np.array_equal(every_other[1, 2], middle[5])
    assert np.array_equal(every_other[0, 0], middle[1])  # the slice itself, where the scan ends
