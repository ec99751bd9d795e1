"""What is wrong with a mask is found by comparing it with its scan, and lowers the estimated Dice."""

import json
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from orders import ORDERS, reordered
from rma_mamba.reporting.mask_evidence import NO_EVIDENCE, calibration
from rma_mamba.reporting.mask_examination import examine_mask
from rma_mamba.reporting.quality_checks import assess
from rma_mamba.volume import Geometry, Mask, Volume

SCALE = (-160.0, 240.0)
SPACING_MM = (2.0, 2.0, 4.0)

Bool = npt.NDArray[np.bool_]


def abdomen() -> tuple[Volume, Bool]:
    """A CT with an ovoid liver of 100 HU within soft tissue of 0 HU, and a spleen of 100 HU on the left."""
    values = np.full((160, 120, 60), -1000, np.float32)
    values[10:150, 10:110] = 0
    x, y, z = np.meshgrid(
        *(np.arange(n) * mm for n, mm in zip(values.shape, SPACING_MM, strict=True))
    )
    x, y, z = (each.transpose(1, 0, 2) for each in (x, y, z))
    liver = ((x - 200) / 80) ** 2 + ((y - 120) / 65) ** 2 + ((z - 120) / 70) ** 2 < 1
    values[liver] = 100
    values += np.random.default_rng(0).normal(0, 12, values.shape)
    return Volume(values, Geometry(values.shape, np.diag([*SPACING_MM, 1.0])), "CT"), liver


def masked(volume: Volume, liver: Bool) -> Mask:
    return Mask(liver.astype(np.uint8), volume.geometry)


def codes(volume: Volume, mask: Mask) -> dict[str, str]:
    evidence = examine_mask(volume, mask, SCALE)
    quality = assess(volume, mask, SCALE, evidence=evidence)
    return {flag.code: flag.severity for flag in quality.flags}


def test_a_good_mask_has_no_evidence_against_it() -> None:
    volume, liver = abdomen()
    found = examine_mask(volume, masked(volume, liver), SCALE)
    assert replace(found, shape_distance=0.0).dice_factor == 1.0  # an ovoid is not quite a liver
    assert max(found.cut_slices, found.cut_in_plane, found.dark, found.bright) < 0.02
    assert found.edgeless < 0.05


@pytest.mark.parametrize("share", [1 / 3, 1 / 2])
@pytest.mark.parametrize("upper", [True, False])
def test_a_missing_upper_or_lower_part_is_red_and_lowers_the_estimate(
    share: float, upper: bool
) -> None:
    volume, liver = abdomen()
    filled = np.flatnonzero(liver.any(axis=(0, 1)))
    lost = round(share * len(filled))
    liver[:, :, filled[-lost:] if upper else filled[:lost]] = False
    found = examine_mask(volume, masked(volume, liver), SCALE)
    assert found.cut_face == ("superior" if upper else "inferior")
    assert found.cut_slices > 0.6
    assert found.dice_factor < 0.9
    assert codes(volume, masked(volume, liver))["abrupt_end"] == "red"


def test_more_is_missing_when_more_was_removed() -> None:
    volume, liver = abdomen()
    filled = np.flatnonzero(liver.any(axis=(0, 1)))
    factors = []
    for lost in (5, 10, 17):
        cut = liver.copy()
        cut[:, :, filled[-lost:]] = False
        factors.append(examine_mask(volume, masked(volume, cut), SCALE).dice_factor)
    assert factors == sorted(factors, reverse=True)


def test_a_missing_lobe_is_found_in_plane() -> None:
    volume, liver = abdomen()
    liver[:85] = False
    assert codes(volume, masked(volume, liver))["abrupt_end"] == "red"


def test_the_end_of_the_scan_is_not_an_abrupt_end_of_the_mask() -> None:
    volume, liver = abdomen()
    values, liver = volume.values[:, :, :32], liver[:, :, :32]
    volume = Volume(values, Geometry(values.shape, volume.geometry.affine), "CT")
    assert set(codes(volume, masked(volume, liver))) == {"touches_border"}


@pytest.mark.parametrize(("hu", "code"), [(-100, "darker_parts"), (300, "brighter_parts")])
def test_foreign_tissue_in_the_mask_is_flagged(hu: float, code: str) -> None:
    volume, liver = abdomen()
    foreign = liver.copy()
    foreign[:, :, :33] = False
    values = np.where(foreign, np.float32(hu), volume.values)
    volume = replace(volume, values=values)
    assert codes(volume, masked(volume, liver)).get(code) == "yellow"
    assert examine_mask(volume, masked(volume, liver), SCALE).dice_factor < 0.95
    assert code not in codes(volume, masked(volume, liver & ~foreign))


def test_a_mask_that_is_too_small_or_shifted_follows_no_edge() -> None:
    volume, liver = abdomen()
    inner = liver.copy()
    for axis in range(3):
        inner &= np.roll(liver, 4, axis) & np.roll(liver, -4, axis)
    assert "border_without_edge" in codes(volume, masked(volume, inner))


def test_an_unusual_shape_is_flagged() -> None:
    volume, liver = abdomen()
    plate = np.zeros_like(liver)
    plate[20:140, 20:100, 30:36] = True
    volume = replace(volume, values=np.where(plate, np.float32(100), np.float32(0)))
    assert "shape_unusual" in codes(volume, masked(volume, plate))


@pytest.mark.parametrize("order", ORDERS[:: len(ORDERS) // 6])
def test_evidence_does_not_depend_on_the_order_of_the_axes(order) -> None:  # type: ignore[no-untyped-def]
    volume, liver = abdomen()
    liver[:, :, 35:] = False
    mask = masked(volume, liver)
    other = reordered(volume, order)
    labels = reordered(Volume(mask.labels, mask.geometry), order).values
    found = examine_mask(other, Mask(labels, other.geometry), SCALE)
    assert found == examine_mask(volume, mask, SCALE)


def test_mask_and_scan_may_have_different_axis_orders() -> None:
    volume, liver = abdomen()
    liver[:, :, 35:] = False
    mask = masked(volume, liver)
    other = reordered(volume, ORDERS[-1])
    assert other.values.shape != volume.values.shape
    assert examine_mask(other, mask, SCALE) == examine_mask(volume, mask, SCALE)


def test_empty_and_tiny_masks_are_not_examined() -> None:
    volume, liver = abdomen()
    assert examine_mask(volume, masked(volume, liver & False), SCALE) == NO_EVIDENCE
    liver[:] = False
    liver[100:104, 60:64, 30] = True
    assert examine_mask(volume, masked(volume, liver), SCALE) == NO_EVIDENCE


def test_no_finite_evidence_from_scans_with_gaps_in_their_values() -> None:
    volume, liver = abdomen()
    volume.values[100:110] = np.nan
    found = examine_mask(volume, masked(volume, liver), SCALE)
    json.dumps(found.as_dict(), allow_nan=False)


def test_slopes_are_not_negative_and_belong_to_known_evidence() -> None:
    slopes = calibration()["slopes"]
    assert slopes
    assert min(slopes.values()) > 0
    assert set(slopes) <= set(calibration()["limits"])
