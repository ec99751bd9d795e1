"""Geometry: directions of the axes, voxel size, and the canonical order."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pytest
import SimpleITK as sitk  # noqa: N813 - the customary name
from hypothesis import given
from hypothesis import strategies as st
from nibabel.orientations import axcodes2ornt, io_orientation

from rma_mamba.errors import GridError
from rma_mamba.source_images import SourceImages
from rma_mamba.volume import Geometry, Mask, Volume, affine_of_itk_image

ORDERS = [
    "".join(letters)
    for pairs in itertools.permutations(("RL", "AP", "SI"))
    for letters in itertools.product(*pairs)
]


def affine_of(order: str, spacing_mm: tuple[float, ...], origin: tuple[float, ...]) -> Any:
    """The affine of a grid whose axes run to `order`, built letter by letter."""
    direction = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}
    affine = np.eye(4)
    affine[:3, :3] = 0
    for axis, letter in enumerate(order):
        world, sign = direction[letter]
        affine[world, axis] = sign * spacing_mm[axis]
    affine[:3, 3] = origin
    return affine


def reordered(affine: Any, shape: tuple[int, ...]) -> Iterator[tuple[Any, Any, Any]]:
    """The same grid stored in all 48 axis orders: (permutation, flips, affine)."""
    for permutation in itertools.permutations(range(3)):
        for flips in itertools.product((False, True), repeat=3):
            step = np.zeros((4, 4))
            step[3, 3] = 1
            for new, (old, flip) in enumerate(zip(permutation, flips, strict=True)):
                step[old, new] = -1 if flip else 1
                step[old, 3] = shape[old] - 1 if flip else 0
            yield permutation, flips, affine @ step


def store(array: npt.NDArray[Any], permutation: Any, flips: Any) -> npt.NDArray[Any]:
    return np.flip(array.transpose(permutation), [axis for axis in range(3) if flips[axis]])


def rotation(degrees: tuple[float, float, float]) -> npt.NDArray[np.float64]:
    matrix = np.eye(3)
    for axis, angle in enumerate(np.radians(degrees)):
        a, b = [other for other in range(3) if other != axis]
        turn = np.eye(3)
        turn[a, a] = turn[b, b] = math.cos(angle)
        turn[a, b], turn[b, a] = -math.sin(angle), math.sin(angle)
        matrix = turn @ matrix
    return matrix


@st.composite
def oblique_affines(draw: st.DrawFn, largest_angle: float = 90) -> npt.NDArray[np.float64]:
    angles = st.floats(-largest_angle, largest_angle)
    spacing = [draw(st.floats(0.3, 8)) for _ in range(3)]
    affine = np.eye(4)
    affine[:3, :3] = rotation((draw(angles), draw(angles), draw(angles))) * spacing
    affine[:3, 3] = [draw(st.floats(-500, 500)) for _ in range(3)]
    return affine


def test_there_are_48_axis_orders() -> None:
    assert len(set(ORDERS)) == 48


@pytest.mark.parametrize("order", ORDERS)
def test_orientation_names_where_each_axis_runs(order: str) -> None:
    geometry = Geometry((4, 5, 6), affine_of(order, (0.7, 1.3, 5.0), (10, -20, 30)))
    assert geometry.orientation == order
    assert geometry.spacing_mm == (0.7, 1.3, 5.0)


@pytest.mark.parametrize("order", ORDERS)
def test_canonical_order_is_superior_posterior_left(order: str) -> None:
    shape = (4, 5, 6)
    affine = affine_of(order, (0.7, 1.3, 5.0), (10, -20, 30))
    world = np.moveaxis(np.indices(shape), 0, -1) @ affine[:3, :3].T + affine[:3, 3]
    seen = [Geometry(shape, affine).canonical.apply(world[..., axis]) for axis in range(3)]
    right, front, up = seen
    assert (np.diff(up, axis=0) > 0).all()
    assert (np.diff(front, axis=1) < 0).all()
    assert (np.diff(right, axis=2) < 0).all()


@pytest.mark.parametrize("order", ORDERS)
def test_undo_is_the_exact_inverse_of_apply(order: str) -> None:
    shape = (2, 3, 4)
    array = np.arange(24).reshape(shape)
    canonical = Geometry(shape, affine_of(order, (1, 2, 3), (0, 0, 0))).canonical
    seen = canonical.apply(array)
    assert np.array_equal(canonical.undo(seen), array)
    assert np.array_equal(canonical.apply(canonical.undo(seen)), seen)
    assert np.shares_memory(seen, array)


@given(affine=oblique_affines(), shape=st.tuples(*[st.integers(1, 4)] * 3))
def test_the_grid_in_canonical_order_has_every_voxel_at_its_position(
    affine: Any, shape: tuple[int, int, int]
) -> None:
    geometry = Geometry(shape, affine)
    world = (np.moveaxis(np.indices(shape), 0, -1) @ affine[:3, :3].T) + affine[:3, 3]
    seen = [geometry.canonical.apply(world[..., axis]) for axis in range(3)]
    grid = geometry.in_canonical_order
    expected = np.moveaxis(np.indices(grid.shape), 0, -1) @ grid.affine[:3, :3].T
    np.testing.assert_allclose(np.stack(seen, -1), expected + grid.affine[:3, 3], atol=1e-9)
    assert grid.canonical.permutation == (0, 1, 2)
    assert not any(grid.canonical.flips)


@given(affine=oblique_affines(), shape=st.tuples(*[st.integers(1, 4)] * 3))
def test_a_scan_has_the_same_canonical_form_in_all_48_axis_orders(
    affine: Any, shape: tuple[int, ...]
) -> None:
    array = np.arange(math.prod(shape)).reshape(shape)
    first = Geometry(shape, affine)  # type: ignore[arg-type]
    seen = first.canonical.apply(array)
    for permutation, flips, other in reordered(affine, shape):
        stored = store(array, permutation, flips)
        geometry = Geometry(stored.shape, other)  # type: ignore[arg-type]
        assert np.array_equal(geometry.canonical.apply(stored), seen)
        assert np.array_equal(geometry.canonical.undo(seen), stored)
        assert geometry.in_canonical_order.matches(first.in_canonical_order)
        assert geometry.spacing_mm == tuple(first.spacing_mm[axis] for axis in permutation)
        assert geometry.voxel_volume_ml == pytest.approx(first.voxel_volume_ml, rel=1e-12)


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("degrees", [45, -45, 135, -135])
def test_a_tie_at_45_degrees_does_not_depend_on_the_stored_order(axis: int, degrees: int) -> None:
    affine = np.eye(4)
    affine[:3, :3] = rotation(tuple(degrees if axis == a else 0 for a in range(3)))  # type: ignore[arg-type]
    array = np.arange(24).reshape(2, 3, 4)
    seen = Geometry((2, 3, 4), affine).canonical.apply(array)
    for permutation, flips, other in reordered(affine, (2, 3, 4)):
        stored = store(array, permutation, flips)
        assert np.array_equal(Geometry(stored.shape, other).canonical.apply(stored), seen)


@given(affine=oblique_affines(largest_angle=20))
def test_orientation_agrees_with_nibabel_where_there_is_no_tie(affine: Any) -> None:
    assert Geometry((3, 3, 3), affine).orientation == "".join(nib.aff2axcodes(affine))


@pytest.mark.parametrize("order", ORDERS)
def test_reordering_as_nibabel_does_keeps_every_voxel_at_its_position(order: str) -> None:
    affine = affine_of("RAS", (0.7, 1.3, 5.0), (10, -20, 30))
    array = np.arange(60).reshape(3, 4, 5)
    image = nib.Nifti1Image(array.astype(np.int16), affine)
    turned = image.as_reoriented(
        nib.orientations.ornt_transform(io_orientation(affine), axcodes2ornt(order))
    )
    geometry = Geometry(turned.shape, turned.affine)
    assert geometry.orientation == order
    seen = geometry.canonical.apply(np.asarray(turned.dataobj))
    assert np.array_equal(seen, Geometry(image.shape, affine).canonical.apply(array))


def test_skewed_and_rotated_grids_have_the_exact_voxel_volume() -> None:
    affine = np.diag([2.0, 3.0, 4.0, 1.0])
    affine[0, 2] = 1.5
    assert Geometry((2, 2, 2), affine).voxel_volume_ml == pytest.approx(0.024)


def test_grids_match_only_if_no_corner_moves() -> None:
    affine = np.diag([1.0, 1.0, 5.0, 1.0])
    grid = Geometry((100, 100, 20), affine)
    assert grid.matches(Geometry((100, 100, 20), affine))
    assert not grid.matches(Geometry((100, 100, 21), affine))
    stretched, shifted = affine.copy(), affine.copy()
    stretched[2, 2] = 5.01  # 0.19 mm at the far corner
    shifted[0, 3] = 0.05
    assert not grid.matches(Geometry((100, 100, 20), stretched))
    assert grid.matches(Geometry((100, 100, 20), stretched), tolerance_mm=0.2)
    assert grid.matches(Geometry((100, 100, 20), shifted))


def edited(cell: tuple[int, int], value: float) -> npt.NDArray[np.float64]:
    affine = np.diag([1.0, 2.0, 3.0, 1.0])
    affine[cell] = value
    return affine


IMPOSSIBLE = {
    "not finite": edited((0, 3), math.nan),
    "infinite": edited((0, 0), math.inf),
    "zero column": edited((1, 1), 0.0),
    "two axes alike": np.array([[1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]),
    "overflow": edited((2, 2), 1e200),
    "underflow": edited((2, 2), 1e-200),
    "3x3": np.eye(3),
}


@pytest.mark.parametrize("affine", IMPOSSIBLE.values(), ids=IMPOSSIBLE.keys())
def test_an_invalid_affine_is_an_error(affine: Any) -> None:
    with pytest.raises(GridError, match="expected"):
        Geometry((2, 2, 2), affine)


@pytest.mark.parametrize("shape", [(0, 2, 2), (2, 2), (2, 2, 2, 1), (2, -1, 2)])
def test_an_invalid_shape_is_an_error(shape: Any) -> None:
    with pytest.raises(GridError, match="positive dimensions"):
        Geometry(shape, np.eye(4))


def test_a_geometry_copies_its_affine_and_makes_it_read_only() -> None:
    affine = np.eye(4)
    geometry = Geometry((2, 2, 2), affine)
    affine[0, 0] = 9
    assert geometry.spacing_mm == (1, 1, 1)
    with pytest.raises(ValueError, match="read-only"):
        geometry.affine[0, 0] = 9


def test_an_array_of_another_shape_is_an_error() -> None:
    geometry = Geometry((2, 3, 4), np.eye(4))
    for holder in (Volume, Mask):
        with pytest.raises(GridError, match=r"\(4, 3, 2\)"):
            holder(np.zeros((4, 3, 2), np.uint8), geometry)


def test_mask_volume_counts_voxels_in_millilitres() -> None:
    geometry = Geometry((10, 10, 10), np.diag([2.0, 2.5, 4.0, 1.0]))
    labels = np.zeros((10, 10, 10), np.uint8)
    assert Mask(labels, geometry).volume_ml == 0.0
    labels[:5] = 1
    assert Mask(labels, geometry).volume_ml == pytest.approx(500 * 0.02)


def test_a_volume_does_not_print_its_voxels() -> None:
    volume = Volume(np.zeros((2, 2, 2)), Geometry((2, 2, 2), np.eye(4)), header="text of a header")
    assert "[[" not in repr(volume).split("geometry")[0]
    assert "text of a header" not in repr(volume)


def test_source_is_the_deprecated_name_of_source_images() -> None:
    images = SourceImages((), (1, 1), np.zeros((0, 3)))
    geometry = Geometry((1, 1, 1), np.eye(4))
    values = np.zeros((1, 1, 1), np.uint8)
    for scan in (
        Volume(values, geometry, source_images=images),
        Mask(values, geometry, source_images=images),
    ):
        with pytest.deprecated_call(match="use .*source_images"):
            assert scan.source is images


def test_axes_of_itk_run_to_the_left_and_posterior() -> None:
    image = sitk.Image(2, 3, 4, sitk.sitkUInt8)
    image.SetOrigin((10, 20, 30))
    image.SetSpacing((1, 2, 3))
    expected = [[-1, 0, 0, -10], [0, -2, 0, -20], [0, 0, 3, 30], [0, 0, 0, 1]]
    assert affine_of_itk_image(image).tolist() == expected
