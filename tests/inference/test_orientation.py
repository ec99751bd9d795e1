"""A header that exchanges sides, or gives slices a wrong distance, is told from the body."""

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rma_mamba.datasets.phantom import make_phantom
from rma_mamba.inference.orientation import (
    Bearing,
    anatomy,
    bearing,
    exchanged,
    summed_up,
)
from rma_mamba.inference.orientation_network import (
    Answers,
    OrientationNetwork,
    orientation_network,
)
from rma_mamba.inference.thumbnails import COARSE, SIDE, body_box, thumbnails
from rma_mamba.reporting.quality import Exchange
from rma_mamba.slicing import SliceStack
from rma_mamba.volume import Geometry, Volume

SIDES: tuple[Exchange, ...] = ("left and right", "belly and back", "head and feet")
SMALL: Any = {"shape": (96, 96, 24), "spacing_mm": (4.0, 4.0, 10.0)}
HEIGHTS_MM = np.arange(8) * 20.0


def answers(right: float = 2.0, front: float = 2.0, rise: float = 1.0) -> Answers:
    one = torch.ones(8)
    return Answers(right * one, front * one, torch.tensor(HEIGHTS_MM * rise / 100), one)


@pytest.fixture(scope="module")
def body() -> Volume:
    return make_phantom(0, contrast="mr_t2", **SMALL).volume


def stack(volume: Volume) -> SliceStack:
    return SliceStack(volume, COARSE)


def test_a_mirror_image_is_told_the_very_opposite() -> None:
    torch.manual_seed(0)
    network = OrientationNetwork().eval()
    pictures = torch.randn(3, SIDE, SIDE)
    said = network.ask(pictures)
    across, down = network.ask(pictures.flip(-1)), network.ask(pictures.flip(-2))
    torch.testing.assert_close(across.right, -said.right)
    torch.testing.assert_close(across.front, said.front)
    torch.testing.assert_close(down.right, said.right)
    torch.testing.assert_close(down.front, -said.front)
    torch.testing.assert_close(across.height_dm, down.height_dm)
    torch.testing.assert_close(across.liver, said.liver)
    assert not torch.allclose(said.right, 0 * said.right)


@given(right=st.floats(-9, 9), front=st.floats(-9, 9), rise=st.floats(-3, 3))
def test_each_side_is_doubted_by_itself(right: float, front: float, rise: float) -> None:
    seen = summed_up(answers(right, front, rise), HEIGHTS_MM)
    assert seen.rise == pytest.approx(rise, abs=1e-5)
    sides = exchanged(seen)
    assert ("left and right" in sides) == (right < -1)
    assert ("belly and back" in sides) == (front < -1)
    if abs(rise) > 1e-3:
        assert ("head and feet" in sides) == (rise < 0)


def test_heights_without_order_say_nothing_of_head_and_feet() -> None:
    said = answers()
    said.height_dm[:] = torch.tensor([0, -1, 1, -1, 1, -1, 1, 0])
    assert exchanged(summed_up(said, HEIGHTS_MM)) == ()
    assert summed_up(answers(rise=0), HEIGHTS_MM).steady == 0


def test_too_little_is_not_judged(body: Volume) -> None:
    few = Volume(
        body.values[:, :, :4], Geometry((*body.geometry.shape[:2], 4), body.geometry.affine)
    )
    assert bearing(stack(few)) == Bearing(slices=4)
    assert anatomy(stack(few)).exchanged == ()
    nothing = Volume(0 * body.values, body.geometry, "MR")
    assert bearing(stack(nothing)) == Bearing()
    assert not anatomy(stack(nothing)).without_liver


@pytest.mark.parametrize("contrast", ["mr_t2", "ct"])
def test_a_synthetic_body_is_told_in_each_of_its_forms(contrast: str) -> None:
    volume = make_phantom(1, contrast=contrast, **SMALL).volume
    along = dict(zip(SIDES, volume.geometry.canonical.permutation[::-1], strict=True))
    for number in range(len(SIDES) + 1):
        for form in itertools.combinations(SIDES, number):
            values = np.flip(volume.values, [along[side] for side in form])
            seen = anatomy(stack(Volume(values, volume.geometry, volume.modality)))
            assert seen.exchanged == form
            assert not seen.without_liver


def test_a_wrong_distance_of_slices_is_told_from_the_body(body: Volume) -> None:
    affine = body.geometry.affine @ np.diag([1, 1, 0.25, 1])
    right, wrong = (
        anatomy(stack(Volume(body.values, Geometry(body.geometry.shape, each), "MR"))).rise
        for each in (body.geometry.affine, affine)
    )
    assert right is not None
    assert 0.5 < right < 2
    assert wrong == pytest.approx(4 * right)


def test_a_thumbnail_shows_the_body_alone() -> None:
    grey = np.zeros((96, 96), np.float32)
    grey[20:60, 10:70] = 0.5
    grey[80, 80] = 1
    assert body_box(grey) == (20, 60, 10, 70)
    assert body_box(grey[:, :25]) is None  # too narrow
    assert body_box(0 * grey) is None


def test_thumbnails_run_from_foot_to_head(body: Volume) -> None:
    pictures, shown = thumbnails(stack(body), 6)
    assert pictures.shape == (6, SIDE, SIDE)
    assert shown[0] == 0
    assert (np.diff(shown) > 0).all()
    assert abs(float(pictures.mean())) < 1e-4


def test_the_network_is_very_small() -> None:
    assert sum(each.numel() for each in orientation_network().parameters()) < 50_000
