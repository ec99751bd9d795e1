"""Irregular slices are resampled to the right position, and the mask is mapped back onto the slices."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset, dcmread, uid
from scipy.ndimage import map_coordinates

from ball_series import CENTRE_MM, SIZE, hu_at, scan
from dicom_series import (
    AXIAL,
    CORONAL,
    SAGITTAL,
    SERIES,
    drop,
    edited,
    save,
    series,
    shift,
    stored,
    tilt,
)
from rma_mamba.errors import ScanError
from rma_mamba.scans import read_scan
from rma_mamba.volume import Volume


def assert_ball_in_its_place(volume: Volume, tolerance_hu: float, inside_mm: float = 22.0) -> None:
    """Every voxel near the ball has the value that belongs to its place in the patient."""
    index = np.indices(volume.geometry.shape).reshape(3, -1)
    ras = volume.geometry.affine[:3, :3] @ index + volume.geometry.affine[:3, 3:]
    points = (ras * [[-1], [-1], [1]]).T
    near = np.linalg.norm(points - CENTRE_MM, axis=1) < inside_mm
    assert near.sum() > 1000
    apart = np.abs(volume.values.reshape(-1)[near] - hu_at(points[near]))
    assert apart.max() <= tolerance_hu


def assert_mask_on_the_slices(volume: Volume, slices: list[Dataset]) -> None:
    """A mask made on the volume covers on each source slice the pixels that are liver there."""
    assert volume.source_images is not None
    labels = (volume.values > 10).astype(np.uint8)
    planes = volume.source_images.on_slices(labels)
    assert planes.dtype == np.uint8
    by_uid = {str(data.SOPInstanceUID): data for data in slices}
    assert {each.instance_uid for each in volume.source_images.slices} == set(by_uid)
    for n, each in enumerate(volume.source_images.slices):
        data = by_uid[each.instance_uid]
        assert each.position_lps == tuple(data.ImagePositionPatient)
        hu = np.frombuffer(data.PixelData, "<u2").reshape(SIZE).astype(int) - 1024
        found = planes[:, :, n].T
        assert not (found & (hu < -75)).any()
        assert found[hu > 95].all()


CASES: dict[str, dict[str, Any]] = {
    "regular": {},
    "coronal": {"directions": CORONAL},
    "sagittal": {"directions": SAGITTAL},
    "mirrored": {"directions": (-1, 0, 0, 0, 1, 0)},
    "upside down": {"directions": (1, 0, 0, 0, -1, 0)},
    "gantry tilt": {"slide_mm": 0.7},
    "gantry tilt the other way": {"slide_mm": -0.7},
    "jitter": {"jitter_mm": 0.2 * np.array([0, 1, -1, 0, 1] * 4)},
    "tilt and jitter": {"slide_mm": 0.5, "jitter_mm": 0.3 * np.array([0, 1, -1, 0, 1] * 4)},
}


@pytest.mark.parametrize("settings_", CASES.values(), ids=CASES.keys())
def test_every_stack_shows_the_ball_in_its_place_and_so_does_its_mask(
    tmp_path: Path, settings_: dict[str, Any]
) -> None:
    slices = scan(**settings_)
    volume = read_scan(save(tmp_path, slices))
    repaired = bool({"slide_mm", "jitter_mm"} & set(settings_))
    assert bool(volume.warnings) == repaired
    assert volume.source_images is not None
    assert volume.source_images.is_regular != repaired
    assert_ball_in_its_place(volume, 20 if repaired else 0)
    assert_mask_on_the_slices(volume, slices)


def test_the_ball_check_and_the_mask_check_can_fail(tmp_path: Path) -> None:
    slices = scan(jitter_mm=0.2 * np.array([0, 1, -1, 0, 1] * 4))
    volume = read_scan(save(tmp_path, slices))
    moved = Volume(
        np.roll(volume.values, 2, axis=1), volume.geometry, source_images=volume.source_images
    )
    with pytest.raises(AssertionError):
        assert_ball_in_its_place(moved, 20)
    with pytest.raises(AssertionError):
        assert_mask_on_the_slices(moved, slices)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    lost=st.sets(st.integers(1, 18), max_size=3),
    copied=st.sets(st.integers(0, 19), max_size=3),
    directions=st.sampled_from([AXIAL, CORONAL, SAGITTAL, (-1, 0, 0, 0, -1, 0)]),
    syntax=st.sampled_from([None, uid.RLELossless, uid.JPEGLSLossless]),
)
def test_shuffled_doubled_removed_turned_and_compressed_slices_give_the_same_ball(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    lost: set[int],
    copied: set[int],
    directions: Any,
    syntax: Any,
) -> None:
    whole = scan(directions, step_mm=1.5)
    slices = [data for k, data in enumerate(whole) if k not in lost]
    copies = [copy.deepcopy(whole[k]) for k in sorted(copied - lost)]
    everything = [*slices, *copies]
    originals = [copy.deepcopy(data) for data in slices]
    np.random.default_rng(seed).shuffle(everything)  # type: ignore[arg-type]
    if syntax is not None:
        for data in everything:
            data.compress(syntax, generate_instance_uid=False)
    volume = read_scan(save(tmp_path_factory.mktemp("mixed"), everything))
    assert volume.geometry.shape[2] == 20
    assert bool(volume.warnings) == bool(lost or copies)
    assert set(volume.missing_slices) == lost
    assert_ball_in_its_place(volume, 35 if lost else 0)
    assert_mask_on_the_slices(volume, originals)


@pytest.mark.parametrize("step_mm", [2.5, 1.0, 7.7])
def test_missing_slices_are_filled_in_and_the_others_kept_bit_for_bit(
    tmp_path: Path, step_mm: float
) -> None:
    slices = edited(drop(2), slices=6, step_mm=step_mm)
    volume = read_scan(save(tmp_path, slices))
    pixels = stored().transpose(2, 1, 0) - 1024
    kept = [0, 1, 3, 4, 5]
    assert volume.missing_slices == (2,)
    assert np.array_equal(volume.values[:, :, kept], pixels[:, :, kept])
    assert np.array_equal(volume.values[:, :, 2], (pixels[:, :, 1] + pixels[:, :, 3]) // 2)
    assert volume.values.dtype == np.int16
    np.testing.assert_allclose(volume.geometry.spacing_mm[2], step_mm)
    assert volume.source_images is not None
    labels = np.random.default_rng(0).integers(0, 2, volume.geometry.shape).astype(np.uint8)
    assert np.array_equal(volume.source_images.on_slices(labels), labels[:, :, kept])


def test_a_tilt_is_resampled_as_scipy_does_it(tmp_path: Path) -> None:
    slices = series(slices=5)
    tilt(slices)
    volume = read_scan(save(tmp_path, slices))
    assert volume.source_images is not None
    assert volume.geometry.shape[1] > 5
    axes = volume.geometry.affine[:3, :3] / volume.geometry.spacing_mm
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-9)
    for k, (i, j, _) in enumerate(volume.source_images.offsets):
        pixels = stored(5)[k].T - 1024.0
        grid = np.indices(volume.geometry.shape[:2]).astype(float) - [[[i]], [[j]]]
        inside = (grid >= 0).all(axis=0) & (grid <= np.array(pixels.shape)[:, None, None] - 1).all(
            axis=0
        )
        expected = map_coordinates(pixels, grid, order=1)
        assert np.abs(volume.values[:, :, k] - expected)[inside].max() <= 0.5001
        outside = (grid <= -1).any(axis=0) | (grid >= np.array(pixels.shape)[:, None, None]).any(
            axis=0
        )
        assert (volume.values[:, :, k][outside] == -1024).all()


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (
            drop(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13),
            "13 slices of the series seem to be missing",
        ),
        (drop(1, 3, 5, 7, 8, 10, 12), "7 slices"),
        (shift(2, 2, 2.48), "missing"),  # almost at the place of the next one
        (shift(2, 0, 500.0), "in-plane by 500 mm"),
    ],
)
def test_irreparable_series_are_rejected_even_without_strict(
    tmp_path: Path, edit: Any, words: str
) -> None:
    with pytest.raises(ScanError, match=words):
        read_scan(save(tmp_path, edited(edit, slices=16)))


def test_a_source_slice_opens_its_file(tmp_path: Path) -> None:
    volume = read_scan(save(tmp_path, series()))
    assert volume.source_images is not None
    for k, each in enumerate(volume.source_images.slices):
        with each.open() as stream:
            assert dcmread(stream).SOPInstanceUID == f"{SERIES}.{k}" == each.instance_uid
