"""A header that flips directions or has a wrong slice spacing is found from the anatomy."""

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rma_mamba.datasets.phantom import make_phantom
from rma_mamba.inference.orientation import (
    Pose,
    check_anatomy,
    combine,
    estimate_pose,
    flipped_axes,
)
from rma_mamba.inference.orientation_network import (
    OrientationNetwork,
    SlicePredictions,
    orientation_network,
)
from rma_mamba.inference.thumbnails import COARSE, SIDE, body_box, crop, thumbnails
from rma_mamba.reporting.quality import FlippedAxis
from rma_mamba.slicing import SliceStack
from rma_mamba.volume import Geometry, Volume

AXES: tuple[FlippedAxis, ...] = ("left/right", "anterior/posterior", "superior/inferior")
SMALL: Any = {"shape": (96, 96, 24), "spacing_mm": (4.0, 4.0, 10.0)}
HEIGHTS_MM = np.arange(8) * 20.0
PARAMETERS = 38_820  # as the model card says


def predictions(right: float = 2.0, anterior: float = 2.0, ratio: float = 1.0) -> SlicePredictions:
    one = torch.ones(8)
    height_dm = torch.tensor(HEIGHTS_MM * ratio / 100)
    return SlicePredictions(right * one, anterior * one, height_dm, one)


@pytest.fixture(scope="module")
def body() -> Volume:
    return make_phantom(0, contrast="mr_t2", **SMALL).volume


def stack(volume: Volume) -> SliceStack:
    return SliceStack(volume, COARSE)


def test_mirroring_a_thumbnail_negates_its_direction_and_keeps_its_height() -> None:
    torch.manual_seed(0)
    network = OrientationNetwork().eval()
    images = torch.randn(3, SIDE, SIDE)
    expected = network.predict(images)
    columns, rows = network.predict(images.flip(-1)), network.predict(images.flip(-2))
    torch.testing.assert_close(columns.right, -expected.right)
    torch.testing.assert_close(columns.anterior, expected.anterior)
    torch.testing.assert_close(rows.right, expected.right)
    torch.testing.assert_close(rows.anterior, -expected.anterior)
    for mirrored in (columns, rows):
        torch.testing.assert_close(mirrored.height_dm, expected.height_dm)
        torch.testing.assert_close(mirrored.liver, expected.liver)
    assert not torch.allclose(expected.right, 0 * expected.right)


@given(right=st.floats(-9, 9), anterior=st.floats(-9, 9), ratio=st.floats(-3, 3))
def test_each_direction_is_checked_independently(
    right: float, anterior: float, ratio: float
) -> None:
    pose = combine(predictions(right, anterior, ratio), HEIGHTS_MM)
    assert pose.spacing_ratio == pytest.approx(ratio, abs=1e-5)
    flipped = flipped_axes(pose)
    assert ("left/right" in flipped) == (right < -1)
    assert ("anterior/posterior" in flipped) == (anterior < -1)
    if abs(ratio) > 1e-3:
        assert ("superior/inferior" in flipped) == (ratio < 0)


def test_unordered_heights_report_no_flip() -> None:
    unordered = predictions()
    unordered.height_dm[:] = torch.tensor([0, -1, 1, -1, 1, -1, 1, 0])
    assert flipped_axes(combine(unordered, HEIGHTS_MM)) == ()
    assert combine(predictions(ratio=0), HEIGHTS_MM).correlation == 0


def test_too_few_slices_and_scans_without_a_body_are_not_checked(body: Volume) -> None:
    few = Volume(
        body.values[:, :, :4], Geometry((*body.geometry.shape[:2], 4), body.geometry.affine)
    )
    assert estimate_pose(stack(few)) == Pose(slices=4)
    assert check_anatomy(stack(few)).flipped == ()
    nothing = Volume(0 * body.values, body.geometry, "MR")
    assert estimate_pose(stack(nothing)) == Pose()
    assert not check_anatomy(stack(nothing)).no_liver_visible


@pytest.mark.parametrize("contrast", ["mr_t2", "ct"])
def test_every_combination_of_flips_of_a_synthetic_body_is_found(contrast: str) -> None:
    volume = make_phantom(1, contrast=contrast, **SMALL).volume
    along = dict(zip(AXES, volume.geometry.canonical.permutation[::-1], strict=True))
    for number in range(len(AXES) + 1):
        for flips in itertools.combinations(AXES, number):
            values = np.flip(volume.values, [along[axis] for axis in flips])
            found = check_anatomy(stack(Volume(values, volume.geometry, volume.modality)))
            assert found.flipped == flips
            assert not found.no_liver_visible


def test_a_wrong_slice_spacing_is_found_from_the_anatomy(body: Volume) -> None:
    affine = body.geometry.affine @ np.diag([1, 1, 0.25, 1])
    right, wrong = (
        check_anatomy(
            stack(Volume(body.values, Geometry(body.geometry.shape, each), "MR"))
        ).spacing_ratio
        for each in (body.geometry.affine, affine)
    )
    assert right is not None
    assert 0.5 < right < 2
    assert wrong == pytest.approx(4 * right)


def test_the_bounding_box_is_that_of_the_body_alone() -> None:
    image = np.zeros((96, 96), np.float32)
    image[20:60, 10:70] = 0.5
    image[80, 80] = 1
    assert body_box(image) == (20, 60, 10, 70)
    assert body_box(image[:, :25]) is None  # too narrow
    assert body_box(0 * image) is None


def test_thumbnails_run_from_inferior_to_superior_in_any_axis_order() -> None:
    """A body whose width grows towards the head, so that each thumbnail shows how high its slice is."""
    values = np.zeros((96, 96, 24), np.float32)
    for k in range(24):
        values[10:86, 10:86, k] = 0.5
        values[20 : 24 + 2 * k, 20:40, k] = 1.0  # a bright block, wider in higher slices
    upright = Geometry(values.shape, np.diag([4.0, 4.0, 10.0, 1.0]))
    upside_down = Geometry(values.shape, np.diag([4.0, 4.0, -10.0, 1.0]))
    for volume in (
        Volume(values, upright, "MR"),
        Volume(values[..., ::-1], upside_down, "MR"),
    ):
        images, shown = thumbnails(stack(volume), 6)
        assert images.shape == (6, SIDE, SIDE)
        assert shown.tolist() == [0, 5, 9, 14, 18, 23]
        bright = (images > 1.0).sum(dim=(1, 2))
        assert (bright[1:] > bright[:-1]).all()


def test_a_thumbnail_is_resized_and_normalised() -> None:
    image = np.random.default_rng(0).random((96, 96)).astype(np.float32)
    small = crop(image, (20, 60, 10, 70))
    assert small.shape == (SIDE, SIDE)
    assert float(small.mean()) == pytest.approx(0, abs=1e-5)
    assert float(small.std()) == pytest.approx(1, abs=2e-2)
    assert torch.equal(crop(image[20:60, 10:70], (0, 40, 0, 60)), small)


def test_the_bundled_weights_are_those_of_the_network() -> None:
    """Any other shape or value of a parameter would be an error, or a prediction like that of chance."""
    network = orientation_network()
    assert not network.training
    assert sum(each.numel() for each in network.parameters()) == PARAMETERS
    untrained = OrientationNetwork().eval()
    volume = make_phantom(3, contrast="ct", **SMALL).volume
    images, _ = thumbnails(stack(volume))
    confident = network.predict(images)
    unsure = untrained.predict(images)
    assert float(confident.right.mean()) > 1 > abs(float(unsure.right.mean()))
    assert float(confident.anterior.mean()) > 1 > abs(float(unsure.anterior.mean()))
