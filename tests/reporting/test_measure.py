import itertools
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rma_mamba.reporting import measure
from rma_mamba.volume import Geometry, Mask

ORDERS = [
    (permutation, signs)
    for permutation in itertools.permutations(range(3))
    for signs in itertools.product((1, -1), repeat=3)
]


def box(
    low: tuple[int, int, int],
    high: tuple[int, int, int],
    shape: tuple[int, int, int] = (10, 12, 14),
    affine: np.ndarray | None = None,
) -> Mask:
    labels = np.zeros(shape, dtype=np.uint8)
    labels[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = 1
    return Mask(
        labels, Geometry(shape, np.diag([2.0, 3.0, 5.0, 1.0]) if affine is None else affine)
    )


def test_a_box_is_measured_in_millimetres_and_millilitres() -> None:
    found = measure(box((1, 2, 3), (5, 6, 7)))
    assert found.volume_ml == pytest.approx(4 * 4 * 4 * 30 / 1000)
    assert found.extent_mm == (8.0, 12.0, 20.0)
    assert found.touches_border == ()
    assert found.warnings == ()


def test_an_empty_mask_measures_zero_with_a_warning() -> None:
    found = measure(box((0, 0, 0), (0, 0, 0)))
    assert (found.volume_ml, found.extent_mm, found.touches_border) == (0.0, (0.0, 0.0, 0.0), ())
    assert found.warnings == ("No liver was found in the scan.",)


@pytest.mark.parametrize(
    ("low", "high", "face"),
    [
        ((0, 2, 3), (5, 6, 7), "left"),
        ((5, 2, 3), (10, 6, 7), "right"),
        ((1, 0, 3), (5, 6, 7), "posterior"),
        ((1, 2, 3), (5, 12, 7), "anterior"),
        ((1, 2, 0), (5, 6, 7), "inferior"),
        ((1, 2, 3), (5, 6, 14), "superior"),
    ],
)
def test_faces_of_the_scan_are_named_in_patient_directions(
    low: tuple[int, int, int], high: tuple[int, int, int], face: str
) -> None:
    found = measure(box(low, high))
    assert found.touches_border == (face,)
    assert face in found.warnings[0]


def test_a_mask_that_fills_the_scan_touches_all_six_faces() -> None:
    assert len(measure(box((0, 0, 0), (10, 12, 14))).touches_border) == 6


@given(order=st.sampled_from(ORDERS), corner=st.tuples(*[st.integers(0, 3)] * 3))
def test_measurements_do_not_depend_on_the_axis_order(
    order: tuple[tuple[int, int, int], tuple[int, int, int]], corner: tuple[int, int, int]
) -> None:
    low, high = corner, (7, 8, 14)
    mask = box(low, high)
    permutation, signs = order
    flip = tuple(slice(None, None, sign) for sign in signs)
    affine = mask.geometry.affine[:, [*permutation, 3]] * np.array([*signs, 1])
    labels = np.ascontiguousarray(mask.labels.transpose(permutation)[flip])
    expected, found = measure(mask), measure(Mask(labels, Geometry(labels.shape, affine)))
    assert found.volume_ml == pytest.approx(expected.volume_ml)
    assert found.extent_mm == pytest.approx(expected.extent_mm)
    assert set(found.touches_border) == set(expected.touches_border)


def test_measurements_are_read_only() -> None:
    with pytest.raises(FrozenInstanceError):
        measure(box((1, 2, 3), (5, 6, 7))).volume_ml = 0.0  # type: ignore[misc]
