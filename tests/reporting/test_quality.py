"""Each flag is raised by what it is for, and by nothing of an ordinary case."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders import ORDERS, reordered
from rma_mamba.reporting.quality import Anatomy, Flag, Quality, assess
from rma_mamba.volume import Geometry, Mask, Volume

SCALE = (-160.0, 240.0)


def scene(spacing_mm: tuple[float, float, float] = (4.0, 4.0, 5.0)) -> tuple[Volume, Mask]:
    """A body of 320 mm with a liver of 1.5 litres, in HU."""
    values = np.full((90, 70, 40), -1000, np.int16)
    values[5:85, 8:62] = 0
    labels = np.zeros(values.shape, np.uint8)
    labels[50:80, 15:45, 10:31] = 1
    values[labels > 0] = 100
    geometry = Geometry(values.shape, np.diag([*spacing_mm, 1.0]))
    return Volume(values, geometry, "CT"), Mask(labels, geometry)


def codes(volume: Volume, mask: Mask, **told: object) -> set[str]:
    return {flag.code for flag in assess(volume, mask, SCALE, **told).flags}  # type: ignore[arg-type]


def test_an_ordinary_case_is_green() -> None:
    found = assess(*scene(), SCALE, predicted_dice=0.93)
    assert (found.flags, found.light) == ((), "green")
    assert found.line == "green: no flags; predicted Dice 0.93"


@given(order=st.sampled_from(ORDERS))
def test_flags_do_not_depend_on_the_order_of_the_axes(order) -> None:
    volume, mask = scene()
    mask.labels[60:65, 20:25, :10] = 1
    twin = reordered(volume, order)
    labels = reordered(Volume(mask.labels, mask.geometry), order).values
    found = assess(twin, Mask(labels, twin.geometry), SCALE)
    assert found == assess(volume, mask, SCALE)
    assert [flag.code for flag in found.flags] == ["touches_border"]


def test_no_liver_is_red() -> None:
    volume, mask = scene()
    found = assess(volume, replace(mask, labels=0 * mask.labels), SCALE)
    assert [flag.code for flag in found.flags] == ["no_liver"]
    assert found.light == "red"


def test_the_faces_that_are_touched_are_named() -> None:
    volume, mask = scene()
    mask.labels[50:80, 15:45, 30:] = 1
    (flag,) = [each for each in assess(volume, mask, SCALE).flags if each.code == "touches_border"]
    assert "(superior)" in flag.message


def test_a_part_far_away_is_counted_and_a_crumb_is_not() -> None:
    volume, mask = scene()
    mask.labels[10:12, 10:12, 10:12] = 1
    assert codes(volume, mask) == set()
    mask.labels[10:30, 10:30, 10:20] = 1
    assert "several_parts" in codes(volume, mask)


@pytest.mark.parametrize(
    ("factor", "expected"),
    [
        (1.25, {"volume_unusual"}),
        (0.7, {"volume_unusual"}),
        (2.2, {"volume_impossible", "body_size"}),
        (0.3, {"volume_impossible", "body_size"}),
    ],
)
def test_a_size_that_no_patient_has_points_to_the_header(factor: float, expected: set[str]) -> None:
    volume, mask = scene((4.0 * factor, 4.0 * factor, 5.0 * factor))
    found = codes(volume, mask)
    assert expected <= found <= expected | {"thick_slices"}


def test_a_small_part_of_a_liver_at_the_edge_is_no_small_liver() -> None:
    volume, mask = scene()
    mask.labels[:] = 0
    mask.labels[50:80, 15:45, 37:] = 1
    assert codes(volume, mask) == {"touches_border", "few_slices"}


def test_a_contrast_that_was_never_seen_is_flagged() -> None:
    volume, mask = scene()
    for value, unusual in ((100, False), (-150, True), (400, True)):
        volume.values[mask.labels > 0] = value
        assert ("intensity_unusual" in codes(volume, mask)) is unusual


def test_little_liver_in_a_large_body_may_be_another_region() -> None:
    volume, mask = scene()
    mask.labels[:] = 0
    mask.labels[60:70, 20:30, 2:38] = 1
    assert {"little_liver", "volume_unusual"} <= codes(volume, mask)


def test_a_mask_that_fills_the_body_is_no_liver() -> None:
    volume, mask = scene()
    mask.labels[15:75, 14:56, 10:21] = 1
    mask.labels[..., 21:] = 0
    volume.values[mask.labels > 0] = 100
    assert codes(volume, mask) == {"much_liver"}


def test_a_share_just_below_the_limit_is_not_said_to_be_the_limit() -> None:
    volume, mask = scene()
    mask.labels[:] = 0
    mask.labels[60:78, 15:34, 10:31] = 1
    (said,) = [flag for flag in assess(volume, mask, SCALE).flags if flag.code == "little_liver"]
    assert "7.9%" in said.message


def test_one_slice_is_said_in_the_singular() -> None:
    volume, mask = scene()
    mask.labels[..., 11:] = 0
    (said,) = [flag for flag in assess(volume, mask, SCALE).flags if flag.code == "few_slices"]
    assert "in one slice only" in said.message


def test_what_others_found_becomes_flags() -> None:
    for dice, light in ((0.9, "green"), (0.8, "yellow"), (0.6, "red")):
        assert assess(*scene(), SCALE, predicted_dice=dice).light == light
    found = assess(*scene(), SCALE, anatomy=Anatomy(("left and right", "head and feet")))
    assert found.light == "red"
    assert "exchanged left and right, and head and feet:" in found.flags[0].message


def test_slices_at_a_wrong_distance_are_told() -> None:
    for rise, told in ((None, False), (0.8, False), (1.4, False), (0.3, True), (3.0, True)):
        assert ("slice_distance" in codes(*scene(), anatomy=Anatomy(rise=rise))) == told


def test_a_mask_where_no_liver_is_seen_may_be_of_another_region() -> None:
    volume, mask = scene()
    assert codes(volume, mask, anatomy=Anatomy(without_liver=True)) == {"other_region"}
    empty = replace(mask, labels=0 * mask.labels)
    assert codes(volume, empty, anatomy=Anatomy(without_liver=True)) == {"no_liver"}


def test_the_gravest_flag_comes_first_and_gives_the_light() -> None:
    flags = (Flag("a", "A.", "red"), Flag("b", "B.", "yellow"))
    found = Quality(flags, 0.5)
    assert found.light == "red"
    assert found.line == "red: a, b; predicted Dice 0.50"
    assert found.as_dict()["flags"][0] == {"code": "a", "message": "A.", "severity": "red"}
    volume, mask = scene()
    mask.labels[50:80, 15:45, 30:] = 1
    severities = [flag.severity for flag in assess(volume, mask, SCALE, predicted_dice=0.1).flags]
    assert severities == sorted(severities)


def test_values_that_are_not_finite_or_constant_do_no_harm() -> None:
    volume, mask = scene()
    values = np.full(volume.values.shape, np.nan, np.float32)
    assess(replace(volume, values=values), mask, (0.0, 0.0))
