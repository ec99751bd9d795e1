"""A header that flips directions or has a wrong slice spacing is found from the anatomy."""

import itertools
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rma_mamba.datasets.phantom import make_phantom
from rma_mamba.errors import WeightsError
from rma_mamba.inference.orientation import (
    Pose,
    check_anatomy,
    combine,
    estimate_pose,
    flipped_axes,
)
from rma_mamba.inference.orientation_network import (
    NAME,
    OrientationNetwork,
    SlicePredictions,
    orientation_network,
)
from rma_mamba.inference.thumbnails import COARSE, SIDE, body_box, crop, thumbnails
from rma_mamba.models.stored_weights import embedded_weights, read_arrays
from rma_mamba.reporting.quality import FlippedAxis
from rma_mamba.slicing import SliceStack
from rma_mamba.volume import Geometry, Volume

ROOT = Path(__file__).parents[2]
AXES: tuple[FlippedAxis, ...] = ("left/right", "anterior/posterior", "superior/inferior")
SMALL: Any = {"shape": (96, 96, 24), "spacing_mm": (4.0, 4.0, 10.0)}
HEIGHTS_MM = np.arange(8) * 20.0
PARAMETERS = 38_820  # as the model card says


def predictions(right: float = 2.0, anterior: float = 2.0, ratio: float = 1.0) -> SlicePredictions:
    one = np.ones(8, np.float32)
    height_dm = (HEIGHTS_MM * ratio / 100).astype(np.float32)
    return SlicePredictions(right * one, anterior * one, height_dm, one)


def untrained() -> OrientationNetwork:
    """The network with random weights in the shapes of the bundled ones."""
    random = np.random.default_rng(0)
    with embedded_weights(NAME) as path:
        state = read_arrays(path).state
    return OrientationNetwork(
        {
            name: np.ones(each.shape, np.float32)
            if each.ndim < 2
            else random.standard_normal(each.shape).astype(np.float32) / each[0].size ** 0.5
            for name, each in state.items()
        }
    )


def is_parameter(name: str) -> bool:
    return not name.endswith(("running_mean", "running_var", "num_batches_tracked"))


def assert_close(found: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(found, expected, atol=2e-5)


@pytest.fixture(scope="module")
def body() -> Volume:
    return make_phantom(0, contrast="mr_t2", **SMALL).volume


def stack(volume: Volume) -> SliceStack:
    return SliceStack(volume, COARSE)


def test_mirroring_a_thumbnail_negates_its_direction_and_keeps_its_height() -> None:
    network = untrained()
    images = np.random.default_rng(0).standard_normal((3, SIDE, SIDE)).astype(np.float32)
    expected = network.predict(images)
    columns, rows = network.predict(images[:, :, ::-1]), network.predict(images[:, ::-1])
    assert_close(columns.right, -expected.right)
    assert_close(columns.anterior, expected.anterior)
    assert_close(rows.right, expected.right)
    assert_close(rows.anterior, -expected.anterior)
    for mirrored in (columns, rows):
        assert_close(mirrored.height_dm, expected.height_dm)
        assert_close(mirrored.liver, expected.liver)
    with pytest.raises(AssertionError):
        assert_close(expected.right, 0 * expected.right)


def test_the_network_computes_the_same_as_in_training() -> None:
    """The layers with which `scripts/train_orientation.py` trains it, in PyTorch."""
    torch.manual_seed(0)
    script = runpy.run_path(str(ROOT / "scripts" / "train_orientation.py"))
    trained = script["OrientationNetwork"]()
    for name, tensor in trained.state_dict().items():
        if "running" in name:
            torch.nn.init.uniform_(tensor, 0.5, 1)
    images = torch.randn(2, SIDE, SIDE)
    arrays = {name: tensor.numpy() for name, tensor in trained.state_dict().items()}
    found = OrientationNetwork(arrays)(images.numpy())
    with torch.inference_mode():
        assert_close(found, trained.eval()(images).numpy())


def test_weights_of_another_network_are_an_error() -> None:
    with pytest.raises(WeightsError, match="do not fit this version"):
        OrientationNetwork({})


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
    unordered.height_dm[:] = [0, -1, 1, -1, 1, -1, 1, 0]
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
        bright = (images > 1.0).sum(axis=(1, 2))
        assert (bright[1:] > bright[:-1]).all()


def test_a_thumbnail_is_resized_and_normalised() -> None:
    image = np.random.default_rng(0).random((96, 96)).astype(np.float32)
    small = crop(image, (20, 60, 10, 70))
    assert small.shape == (SIDE, SIDE)
    assert float(small.mean()) == pytest.approx(0, abs=1e-5)
    assert float(small.std()) == pytest.approx(1, abs=2e-2)
    np.testing.assert_array_equal(crop(image[20:60, 10:70], (0, 40, 0, 60)), small)


@pytest.mark.parametrize("box", [(0, 96, 0, 96), (20, 60, 10, 70), (1, 24, 0, 23), (3, 51, 9, 57)])
def test_a_thumbnail_is_resampled_as_in_pytorch(box: tuple[int, int, int, int]) -> None:
    image = np.random.default_rng(0).random((96, 96)).astype(np.float32)
    top, bottom, left, right = box
    inside = torch.from_numpy(image[top:bottom, left:right])[None, None]
    expected = torch.nn.functional.interpolate(
        inside, (SIDE, SIDE), mode="bilinear", antialias=True
    )[0, 0]
    expected = (expected - expected.mean()) / (expected.std() + 1e-3)
    assert_close(crop(image, box), expected.numpy())


def test_the_bundled_weights_are_those_of_the_network() -> None:
    """Any other shape or value of a parameter would be an error, or a prediction like that of chance."""
    with embedded_weights(NAME) as path:
        state = read_arrays(path).state
    assert sum(each.size for name, each in state.items() if is_parameter(name)) == PARAMETERS
    volume = make_phantom(3, contrast="ct", **SMALL).volume
    images, _ = thumbnails(stack(volume))
    confident = orientation_network().predict(images)
    unsure = untrained().predict(images)
    assert float(confident.right.mean()) > 1 > abs(float(unsure.right.mean()))
    assert float(confident.anterior.mean()) > 1 > abs(float(unsure.anterior.mean()))
