"""Batches write each slice once, and a network with through-plane context sees what surrounds it."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rma_mamba.inference.batches import plan_batches
from rma_mamba.inference.tta import TtaLogits
from rma_mamba.slicing import SliceRecipe, SliceStack, calibrated
from rma_mamba.volume import Geometry, Volume


def stacks(slices: int, spacing_mm: float, through_plane_mm: float | None) -> list[SliceStack]:
    geometry = Geometry((8, 8, slices), np.diag([4.0, 4.0, spacing_mm, 1.0]))
    volume = calibrated(Volume(np.zeros(geometry.shape, np.int16), geometry, "MR"))
    recipe = SliceRecipe(size=32, spacing_mm=4.0, through_plane_mm=through_plane_mm)
    return [SliceStack(volume, recipe)]


@given(
    slices=st.integers(1, 150),
    spacing_mm=st.sampled_from([0.6, 1.0, 2.5, 3.0, 5.0, 9.0]),
    context=st.sampled_from([None, 5.0]),
    batch_size=st.sampled_from([None, 1, 3, 16]),
)
def test_each_slice_is_written_once_and_from_where_it_was_seen(
    slices: int, spacing_mm: float, context: float | None, batch_size: int | None
) -> None:
    numbers = np.arange(slices)
    written = np.zeros(slices, int)
    for batch in plan_batches(stacks(slices, spacing_mm, context), batch_size):
        seen = numbers[batch.seen]
        assert np.array_equal(seen[batch.first : batch.first + batch.size], numbers[batch.kept])
        written[batch.kept] += 1
    assert (written == 1).all()


def test_thin_slices_are_segmented_as_interleaved_stacks() -> None:
    batches = plan_batches(stacks(100, 1.0, 5.0), None)
    assert {batch.seen.step for batch in batches} == {5}
    assert sorted(batch.seen.start for batch in batches) == [0, 1, 2, 3, 4]


def test_long_scans_are_cut_into_stacks_that_overlap() -> None:
    one, other, *_ = plan_batches(stacks(150, 5.0, 5.0), None)
    assert one.kept.stop == other.kept.start
    assert one.seen.stop == one.kept.stop + 4
    assert other.seen.start == other.kept.start - 4


def test_slices_of_the_context_are_dropped_at_all_scales() -> None:
    batch = plan_batches(stacks(150, 5.0, 5.0), None)[1]
    count = batch.seen.stop - batch.seen.start
    maps = np.arange(count, dtype=np.float32)[:, None, None, None]
    repeated = np.arange(2, count - 1)
    kept = batch.without_context(TtaLogits([maps], [maps[repeated]], repeated))
    assert np.array_equal(kept.maps[0], maps[batch.first : batch.first + batch.size])
    assert np.array_equal(kept.others[0][:, 0, 0, 0], kept.maps[0][kept.repeated, 0, 0, 0])
