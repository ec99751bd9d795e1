from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rma_mamba.conventions import LIVER_RGB
from rma_mamba.errors import ConfigError, GridError, ScanError
from rma_mamba.reporting import write_preview
from rma_mamba.reporting.display import DisplayedScan, draw_plane
from rma_mamba.reporting.preview import render_preview
from rma_mamba.slicing import calibrated
from rma_mamba.volume import Geometry, Mask, Volume


def liver_coloured(image: Image.Image) -> int:
    """Number of pixels within a small distance of the liver's colour."""
    apart = np.asarray(image, dtype=int) - LIVER_RGB
    return int((np.abs(apart).max(axis=-1) < 12).sum())


def test_a_preview_is_a_png_that_shows_the_contour(scene, tmp_path: Path) -> None:
    path = tmp_path / "new" / "preview.png"
    write_preview(scene.volume, scene.mask, path)
    with Image.open(path) as image:
        assert image.format == "PNG"
        drawn = liver_coloured(image.convert("RGB"))
    empty = replace(scene.mask, labels=np.zeros_like(scene.mask.labels))
    assert drawn > liver_coloured(render_preview(scene.volume, empty)) + 12 * 100
    assert [file.name for file in path.parent.iterdir()] == ["preview.png"]


def test_the_contour_lies_on_the_border_and_nowhere_else() -> None:
    labels = np.zeros((40, 40), dtype=bool)
    labels[10:30, 10:30] = True
    drawn = np.asarray(draw_plane(np.zeros((40, 40), np.uint8), labels, (160, 160)), dtype=int)
    line = np.abs(drawn - LIVER_RGB).max(axis=-1) < 12
    rows, columns = np.nonzero(line)
    border = np.minimum.reduce(
        [np.abs(rows - 40), np.abs(rows - 120), np.abs(columns - 40), np.abs(columns - 120)]
    )
    assert line.sum() > 4 * 60
    assert border.max() <= 3
    assert (drawn[80, 80] < 60).all()  # the inside stays readable


def test_the_patients_right_is_on_the_left_and_anterior_is_on_top(scene) -> None:
    screen = DisplayedScan(calibrated(scene.volume), scene.mask)
    rows, columns = np.nonzero(screen.labels[12])
    assert columns.mean() < screen.labels.shape[2] / 2  # the liver lies on the patient's right
    labels = np.zeros_like(scene.mask.labels)
    labels[20:40, 40:45, 10:14] = 1  # RAS: high j is anterior
    front = DisplayedScan(calibrated(scene.volume), Mask(labels, scene.volume.geometry))
    rows, columns = np.nonzero(front.labels[12])
    assert rows.mean() < front.labels.shape[1] / 2


@pytest.mark.parametrize("flip", [(1, 1, 1), (-1, -1, 1), (1, -1, -1)])
def test_the_preview_does_not_depend_on_the_axis_order_of_the_file(scene, flip) -> None:
    turn = tuple(slice(None, None, sign) for sign in flip)
    shape = np.array(scene.volume.geometry.shape)
    affine = scene.volume.geometry.affine.copy()
    for axis, sign in enumerate(flip):
        if sign < 0:
            affine[:3, 3] += affine[:3, axis] * (shape[axis] - 1)
            affine[:3, axis] *= -1
    affine = affine[:, [2, 0, 1, 3]]
    values = scene.volume.values[turn].transpose(2, 0, 1)
    geometry = Geometry(values.shape, affine)
    volume = Volume(values, geometry, "CT")
    mask = Mask(scene.mask.labels[turn].transpose(2, 0, 1), geometry)
    below_title = (0, 58, 1200, 500)  # the title shows the grid of the file
    expected = render_preview(scene.volume, scene.mask).crop(below_title)
    assert render_preview(volume, mask).crop(below_title).tobytes() == expected.tobytes()


def test_voxels_keep_their_physical_proportions(scene) -> None:
    tall = Geometry(scene.volume.geometry.shape, np.diag([1.0, 4.0, 5.0, 1.0]))
    wide = Geometry(scene.volume.geometry.shape, np.diag([4.0, 1.0, 5.0, 1.0]))
    heights = [
        render_preview(
            replace(scene.volume, geometry=grid), replace(scene.mask, geometry=grid)
        ).height
        for grid in (tall, wide)
    ]
    assert heights[0] > 2 * heights[1]


def test_ct_is_shown_in_an_abdomen_window_and_mr_by_percentiles(scene) -> None:
    assert DisplayedScan(calibrated(scene.volume), scene.mask).window == (-160.0, 240.0)
    values = np.abs(scene.volume.values.astype(np.float32))
    mr = calibrated(replace(scene.volume, values=values, modality="MR"))
    low, high = DisplayedScan(mr, scene.mask).window
    assert 0 <= low < high <= values.max()


def test_stored_ct_gives_the_same_preview_as_ct_in_hu(scene) -> None:
    values = scene.volume.values.copy()
    values[20:24, 10:14] = 700  # bone, without which a missing rescale intercept is not restored
    ct = replace(scene.volume, values=values)
    expected = render_preview(ct, scene.mask)
    for modality in (None, "CT"):
        stored = replace(ct, values=(values + 1024).astype(np.uint16), modality=modality)
        assert DisplayedScan(calibrated(stored), scene.mask).window == (-160.0, 240.0)
        assert render_preview(stored, scene.mask).tobytes() == expected.tobytes()


def test_windowed_ct_is_shown_by_percentiles(scene) -> None:
    windowed = ((scene.volume.values.clip(-160, 240) + 160) / 400 * 255).astype(np.uint8)
    low, high = DisplayedScan(calibrated(replace(scene.volume, values=windowed)), scene.mask).window
    assert 0 <= low < high <= 255


@pytest.mark.parametrize("fill", [0.0, np.nan, 7.0])
def test_a_scan_without_contrast_is_drawn_as_well(scene, fill: float) -> None:
    values = np.full(scene.volume.values.shape, fill, dtype=np.float32)
    assert render_preview(replace(scene.volume, values=values), scene.mask).width > 500


@pytest.mark.parametrize("shape", [(1, 1, 1), (40, 40, 1), (3, 200, 5)])
def test_grids_of_extreme_shapes_are_drawn(shape: tuple[int, int, int]) -> None:
    geometry = Geometry(shape, np.eye(4))
    values = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    image = render_preview(Volume(values, geometry), Mask(np.ones(shape, np.uint8), geometry))
    assert liver_coloured(image) > 0


def test_a_mask_on_a_different_grid_is_rejected(scene) -> None:
    moved = scene.volume.geometry.affine.copy()
    moved[0, 3] += 5
    other = replace(scene.mask, geometry=Geometry(scene.volume.geometry.shape, moved))
    with pytest.raises(GridError, match="expected the same grid"):
        render_preview(scene.volume, other)


def test_only_png_is_written(scene, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"expected \.png"):
        write_preview(scene.volume, scene.mask, tmp_path / "preview.jpg")
    assert not list(tmp_path.iterdir())


def test_a_preview_that_cannot_be_written_leaves_nothing_behind(scene, tmp_path: Path) -> None:
    (tmp_path / "taken.png").mkdir()
    with pytest.raises(ScanError, match="cannot be written"):
        write_preview(scene.volume, scene.mask, tmp_path / "taken.png")
    assert [file.name for file in tmp_path.iterdir()] == ["taken.png"]
