"""Physical proportions, the size of the canvas, and resampling there and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rma_mamba.errors import GridError
from rma_mamba.slicing import SlicePlan, SliceRecipe
from rma_mamba.volume import Geometry


def plan(shape: tuple[int, int], pixel_mm: tuple[float, float], recipe: SliceRecipe) -> SlicePlan:
    affine = np.diag([-pixel_mm[1], -pixel_mm[0], 5.0, 1.0])
    return SlicePlan(Geometry((shape[1], shape[0], 2), affine), recipe)


@given(
    shape=st.tuples(st.integers(1, 500), st.integers(1, 500)),
    pixel_mm=st.tuples(st.floats(0.4, 3), st.floats(0.4, 3)),
    spacing_mm=st.one_of(st.none(), st.floats(1, 3)),
)
def test_the_canvas_holds_the_whole_field_and_is_a_multiple_of_32(
    shape: tuple[int, int], pixel_mm: tuple[float, float], spacing_mm: float | None
) -> None:
    made = plan(shape, pixel_mm, SliceRecipe(size=96, spacing_mm=spacing_mm))
    for side, field, pixels, mm in zip(made.canvas, made.field, shape, pixel_mm, strict=True):
        assert side % 32 == 0
        assert side >= max(96, field)
        assert field * made.spacing_mm >= pixels * mm * (1 - 1e-2) - 1e-2 * made.spacing_mm
    if spacing_mm is None:
        assert made.canvas == (96, 96)
        assert max(made.field) == 96


def test_a_round_body_in_oblong_pixels_is_round_on_the_canvas() -> None:
    rows, columns = np.meshgrid(np.arange(90), np.arange(60), indexing="ij")
    body = ((rows - 44.5) * 1.0) ** 2 + ((columns - 29.5) * 1.5) ** 2 < 30**2
    made = plan((90, 60), (1.0, 1.5), SliceRecipe(size=64, spacing_mm=2.0))
    seen = made.to_canvas(body[None])[0] > 0.5
    assert abs(int(seen.any(1).sum()) - int(seen.any(0).sum())) <= 1
    assert seen.any(1).sum() == pytest.approx(30, abs=1)


def test_equal_pixels_are_copied_not_interpolated() -> None:
    made = plan((40, 50), (2.0, 2.0), SliceRecipe(size=64, spacing_mm=2.0))
    slices = np.random.default_rng(0).random((2, 40, 50)).astype(np.float32)
    assert np.array_equal(made.to_canvas(slices)[:, 12:52, 7:57], slices)
    assert np.array_equal(made.from_canvas(made.to_canvas(slices)), slices)


def test_label_values_are_not_interpolated() -> None:
    labels = np.random.default_rng(0).choice([0, 3, 200], (2, 60, 40)).astype(np.uint8)
    same = plan((60, 40), (2.0, 2.0), SliceRecipe(size=64, spacing_mm=2.0)).labels_to_canvas(labels)
    assert np.array_equal(same[:, 2:62, 12:52], labels)
    finer = plan((60, 40), (2.0, 2.0), SliceRecipe(size=64, spacing_mm=1.0)).labels_to_canvas(
        labels
    )
    assert finer.shape == (2, 128, 96)
    assert set(np.unique(finer)) == {0, 3, 200}
    assert np.array_equal(finer[:, 4:124:2, 8:88:2], labels)
    assert np.array_equal(finer[:, 5:125:2, 9:89:2], labels)


def test_downsampling_averages_instead_of_skipping_pixels() -> None:
    stripes = np.tile(np.array([0.0, 1.0], np.float32), 60)[None, None].repeat(120, axis=1)
    made = plan((120, 120), (0.5, 0.5), SliceRecipe(size=32, spacing_mm=2.0))
    inner = made.to_canvas(stripes)[0, 4:26, 4:26]
    assert np.all(np.abs(inner - 0.5) < 0.05)


@pytest.mark.parametrize("pixel_mm", [700.0, 3.5])
def test_an_oversized_field_of_view_is_rejected_before_memory_is_allocated(pixel_mm: float) -> None:
    with pytest.raises(GridError, match=r"canvas of [0-9]+ pixels; expected at most 1500 mm"):
        plan((512, 512), (pixel_mm, pixel_mm), SliceRecipe())


def test_slices_of_a_different_grid_are_rejected() -> None:
    made = plan((40, 50), (2.0, 2.0), SliceRecipe(size=64, spacing_mm=2.0))
    for call in (made.to_canvas, made.from_canvas):
        with pytest.raises(GridError, match="expected \\[slice, "):
            call(np.zeros((2, 41, 50), np.float32))


@pytest.mark.parametrize("size_mm", [1e-30, 1e-6, 0.01])
def test_implausibly_small_voxels_are_rejected(size_mm: float) -> None:
    geometry = Geometry((40, 40, 3), np.diag([size_mm, size_mm, 3, 1]))
    with pytest.raises(GridError, match="expected a voxel size plausible for a body scan"):
        SlicePlan(geometry, SliceRecipe(size=64, spacing_mm=2.0))


def test_the_canvas_of_a_square_field_is_copied_to_the_same_number_of_pixels() -> None:
    made = plan((400, 400), (0.8, 0.8), SliceRecipe(size=256, spacing_mm=None))
    logits = np.random.default_rng(0).normal(size=(2, 1, 256, 256)).astype(np.float32)
    squares = made.to_squares(logits, 256)
    assert np.array_equal(squares > 0.5, logits[:, 0] > 0)
    assert made.to_probabilities(logits).shape == (2, 400, 400)


def test_height_and_width_of_an_oblong_field_are_scaled_independently() -> None:
    made = plan((96, 64), (1.0, 1.5), SliceRecipe(size=64, spacing_mm=2.0))
    logits = np.full((1, 1, *made.canvas), -9, np.float32)
    logits[:, :, 32:] = 9  # the lower half of the canvas
    squares = made.to_squares(logits, 48)[0] > 0.5
    assert squares.shape == (48, 48)
    assert squares[24:].all()
    assert not squares[:24].any()
