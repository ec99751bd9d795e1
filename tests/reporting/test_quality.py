"""Each flag is raised by its finding, and none in an ordinary case."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders import ORDERS, reordered
from rma_mamba.reporting.quality import AnatomyCheck, Flag, Quality
from rma_mamba.reporting.quality_checks import assess
from rma_mamba.volume import Geometry, Mask, Volume

SCALE = (-160.0, 240.0)

# With all intensities 0, or all 1, on the network's scale: no body at all, or a body that fills the scan.
EXPECTED_WITHOUT_CONTRAST = {
    False: {"intensity_unusual", "liver_share_high", "body_width"},
    True: {"intensity_unusual"},
}


def scene(spacing_mm: tuple[float, float, float] = (4.0, 4.0, 5.0)) -> tuple[Volume, Mask]:
    """A body of 320 mm with a liver of 1.5 litres, in HU."""
    values = np.full((90, 70, 40), -1000, np.int16)
    values[5:85, 8:62] = 0
    labels = np.zeros(values.shape, np.uint8)
    labels[50:80, 15:45, 10:31] = 1
    values[labels > 0] = 100
    geometry = Geometry(values.shape, np.diag([*spacing_mm, 1.0]))
    return Volume(values, geometry, "CT"), Mask(labels, geometry)


def codes(volume: Volume, mask: Mask, **more: object) -> set[str]:
    return {flag.code for flag in assess(volume, mask, SCALE, **more).flags}  # type: ignore[arg-type]


def test_an_ordinary_case_is_green() -> None:
    found = assess(*scene(), SCALE, estimated_dice=0.93)
    assert (found.flags, found.light) == ((), "green")
    assert found.line == "green (no problems found); estimated Dice 0.93"


@given(order=st.sampled_from(ORDERS))
def test_flags_do_not_depend_on_the_order_of_the_axes(order) -> None:
    volume, mask = scene()
    mask.labels[60:65, 20:25, :10] = 1
    other_order = reordered(volume, order)
    labels = reordered(Volume(mask.labels, mask.geometry), order).values
    found = assess(other_order, Mask(labels, other_order.geometry), SCALE)
    assert found == assess(volume, mask, SCALE)
    assert [flag.code for flag in found.flags] == ["touches_border"]


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ((11,), "About 1 slice of the series seems to be missing: it was"),
        ((3, 4), "About 2 slices"),
    ],
)
def test_a_scan_with_interpolated_slices_is_yellow(missing: tuple[int, ...], words: str) -> None:
    volume, mask = scene()
    gaps = replace(volume, missing_slices=missing)
    for scan in (gaps, replace(volume, channels={"one": volume, "two": gaps})):
        (flag,) = assess(scan, mask, SCALE).flags
        assert (flag.code, flag.severity) == ("missing_slices", "yellow")
        assert flag.message.startswith(words)


def test_no_liver_is_red() -> None:
    volume, mask = scene()
    found = assess(volume, replace(mask, labels=0 * mask.labels), SCALE)
    assert [flag.code for flag in found.flags] == ["no_liver"]
    assert found.light == "red"


def test_the_faces_that_the_liver_reaches_are_named() -> None:
    volume, mask = scene()
    mask.labels[50:80, 15:45, 30:] = 1
    (flag,) = [each for each in assess(volume, mask, SCALE).flags if each.code == "touches_border"]
    assert "(superior)" in flag.message


def test_a_separate_component_is_counted_unless_it_is_tiny() -> None:
    volume, mask = scene()
    mask.labels[10:12, 10:12, 10:12] = 1
    assert codes(volume, mask) == set()
    mask.labels[10:30, 10:30, 10:20] = 1
    assert "multiple_components" in codes(volume, mask)


@pytest.mark.parametrize(
    ("factor", "expected"),
    [
        (1.25, {"volume_unusual"}),
        (0.7, {"volume_unusual"}),
        (2.2, {"volume_impossible", "body_width"}),
        (0.3, {"volume_impossible", "body_width"}),
    ],
)
def test_an_implausible_size_is_flagged_as_a_header_problem(
    factor: float, expected: set[str]
) -> None:
    volume, mask = scene((4.0 * factor, 4.0 * factor, 5.0 * factor))
    found = codes(volume, mask)
    assert expected <= found <= expected | {"thick_slices"}


def test_a_liver_cut_off_by_the_edge_is_not_flagged_as_small() -> None:
    volume, mask = scene()
    mask.labels[:] = 0
    mask.labels[50:80, 15:45, 37:] = 1
    assert codes(volume, mask) == {"touches_border", "few_slices"}


def test_a_contrast_outside_the_training_data_is_flagged() -> None:
    volume, mask = scene()
    for value, unusual in ((100, False), (-150, True), (400, True)):
        volume.values[mask.labels > 0] = value
        assert ("intensity_unusual" in codes(volume, mask)) is unusual


def test_a_small_share_of_the_body_is_flagged() -> None:
    volume, mask = scene()
    mask.labels[:] = 0
    mask.labels[60:70, 20:30, 2:38] = 1
    assert {"liver_share_low", "volume_unusual"} <= codes(volume, mask)


def test_a_mask_that_fills_the_body_is_flagged() -> None:
    volume, mask = scene()
    mask.labels[15:75, 14:56, 10:21] = 1
    mask.labels[..., 21:] = 0
    volume.values[mask.labels > 0] = 100
    assert codes(volume, mask) == {"liver_share_high"}


def test_a_share_just_below_the_threshold_is_not_rounded_to_it() -> None:
    volume, mask = scene()
    mask.labels[:] = 0
    mask.labels[60:78, 15:34, 10:31] = 1
    (raised,) = [
        flag for flag in assess(volume, mask, SCALE).flags if flag.code == "liver_share_low"
    ]
    assert "7.9%" in raised.message


def test_a_single_slice_is_reported_in_the_singular() -> None:
    volume, mask = scene()
    mask.labels[..., 11:] = 0
    (raised,) = [flag for flag in assess(volume, mask, SCALE).flags if flag.code == "few_slices"]
    assert "in only one slice" in raised.message


def test_a_low_estimated_dice_and_a_flipped_header_become_flags() -> None:
    for dice, light in ((0.9, "green"), (0.8, "yellow"), (0.6, "red")):
        assert assess(*scene(), SCALE, estimated_dice=dice).light == light
    found = assess(*scene(), SCALE, anatomy=AnatomyCheck(("left/right", "superior/inferior")))
    assert found.light == "red"
    assert "header flips left/right and superior/inferior." in found.flags[0].message


def test_a_wrong_slice_spacing_is_flagged() -> None:
    for ratio, flagged in ((None, False), (0.8, False), (1.4, False), (0.3, True), (3.0, True)):
        assert (
            "slice_spacing" in codes(*scene(), anatomy=AnatomyCheck(spacing_ratio=ratio))
        ) == flagged


def test_a_mask_in_a_scan_without_visible_liver_is_flagged() -> None:
    volume, mask = scene()
    assert codes(volume, mask, anatomy=AnatomyCheck(no_liver_visible=True)) == {"other_region"}
    empty = replace(mask, labels=0 * mask.labels)
    assert codes(volume, empty, anatomy=AnatomyCheck(no_liver_visible=True)) == {"no_liver"}


def test_the_most_severe_flag_comes_first_and_gives_the_light() -> None:
    flags = (Flag("a", "A.", "red"), Flag("b", "B.", "yellow"))
    found = Quality(flags, 0.5)
    assert found.light == "red"
    assert found.line == "red (a, b); estimated Dice 0.50"
    assert found.as_dict()["flags"][0] == {"code": "a", "message": "A.", "severity": "red"}
    volume, mask = scene()
    mask.labels[50:80, 15:45, 30:] = 1
    severities = [flag.severity for flag in assess(volume, mask, SCALE, estimated_dice=0.1).flags]
    assert severities == sorted(severities)


@pytest.mark.parametrize(
    ("value", "scale"),
    [(np.nan, (0.0, 0.0)), (np.nan, SCALE), (np.inf, SCALE), (7.0, (7.0, 7.0))],
)
def test_non_finite_or_constant_scans_are_flagged_only_as_scans_without_a_body(
    value: float, scale: tuple[float, float]
) -> None:
    volume, mask = scene()
    values = np.full(volume.values.shape, value, np.float32)
    found = assess(replace(volume, values=values), mask, scale)
    assert {flag.code for flag in found.flags} == EXPECTED_WITHOUT_CONTRAST[value == np.inf]
    assert all("nan" not in flag.message and "inf" not in flag.message for flag in found.flags)


def test_json_has_the_new_names_first_and_keeps_the_old_ones() -> None:
    flags = (Flag("slice_spacing", "A.", "red"), Flag("no_liver", "B.", "red"))
    content = Quality(flags, 0.9123).as_dict()
    assert list(content) == ["light", "estimated_dice", "flags", "predicted_dice"]
    assert content["estimated_dice"] == content["predicted_dice"] == 0.912
    assert [flag.get("old_code") for flag in content["flags"]] == ["slice_distance", None]


def test_the_old_attribute_warns() -> None:
    with pytest.warns(DeprecationWarning, match="use Quality.estimated_dice"):
        assert Quality((), 0.9).predicted_dice == 0.9


FINDINGS = [
    AnatomyCheck(("left/right",)),
    AnatomyCheck(spacing_ratio=3.0),
    AnatomyCheck(no_liver_visible=True),
]


@pytest.mark.parametrize("anatomy", FINDINGS)
def test_every_message_is_made_of_sentences_without_the_code(anatomy: AnatomyCheck) -> None:
    volume, mask = scene((9.0, 9.0, 12.0))
    mask.labels[..., 12:] = 0
    mask.labels[5:8, 5:8, 0] = 1
    flags = assess(volume, mask, (0.0, 50.0), estimated_dice=0.5, anatomy=anatomy).flags
    assert len(flags) >= 6
    for flag in flags:
        assert flag.message[0].isupper()
        assert flag.message.endswith(".")
        assert flag.code not in flag.message
