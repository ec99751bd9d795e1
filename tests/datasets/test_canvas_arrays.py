"""Labelled scans on the network's canvas, in 8 bits."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rma_mamba.datasets.canvas_arrays import on_canvas, phantom_arrays, slice_arrays, volume_arrays
from rma_mamba.datasets.config import DataConfig
from rma_mamba.datasets.phantom import make_phantom
from rma_mamba.datasets.source_files import SourceFiles
from rma_mamba.slicing import IntensityScale, SliceRecipe
from rma_mamba.volume import Geometry, Volume

RECIPE = SliceRecipe(size=32, spacing_mm=4.0)


def test_the_ends_of_the_scale_become_0_and_255() -> None:
    values = np.full((32, 32, 2), 100, np.int16)
    values[:16], values[16:24] = 0, 50
    volume = Volume(values, Geometry(values.shape, np.diag([-4.0, -4.0, 8.0, 1.0])), "MR")
    images, labels = on_canvas(volume, values == 50, RECIPE, IntensityScale(0, 100))
    assert images.dtype == labels.dtype == np.uint8
    assert np.unique(images).tolist() == [0, 128, 255]
    assert np.array_equal(labels == 1, images == 128)


def test_slices_of_different_sizes_are_centred_on_one_canvas(
    config: DataConfig, folder: Path
) -> None:
    source = config.sources[1].model_copy(update={"pixel_mm": 8.0})
    images = folder / "slices" / "images"
    for kind in ("images", "masks"):
        path = folder / "slices" / kind / "p003_z0.png"
        Image.fromarray(np.full((8, 8), 200, np.uint8)).save(path)
    paths = sorted(images.glob("p003*"))
    files = SourceFiles(config)
    small, large = (slice_arrays(files, source, [path]) for path in paths)
    both = slice_arrays(files, source, paths)
    (height, width), (rows, columns) = (each["images"].shape[1:] for each in (large, small))
    assert rows < height
    assert both["images"].shape == both["labels"].shape == (2, height, width)
    top, left = (height - rows) // 2, (width - columns) // 2
    inner = both["labels"][0, top : top + rows, left : left + columns]
    assert np.array_equal(inner, small["labels"][0])
    assert both["labels"][0].sum() == inner.sum() > 0
    assert np.array_equal(both["images"][1], large["images"][0])


def test_organ_labels_and_slice_spacing_belong_to_volumes(config: DataConfig, folder: Path) -> None:
    files, path = SourceFiles(config), folder / "volumes" / "images" / "case_01.nii.gz"
    one = volume_arrays(files, config.sources[0], [path])
    assert set(one) == {"images", "labels", "tissues", "gap_mm", "hounsfield"}
    assert not one["hounsfield"]
    assert float(one["gap_mm"]) == 8.0
    assert set(np.unique(one["tissues"])) == {0, 6}
    two = volume_arrays(files, config.sources[0], [path, path])
    assert np.array_equal(two["images"], np.concatenate([one["images"]] * 2))


def test_phantoms_are_reproducible_and_differ_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    coarse = partial(make_phantom, shape=(64, 64, 9), spacing_mm=(5.6, 5.6, 24.0))
    monkeypatch.setattr("rma_mamba.datasets.canvas_arrays.make_phantom", coarse)
    first, again, other = (phantom_arrays(RECIPE, number) for number in (0, 0, 3))
    assert np.array_equal(first["images"], again["images"])
    assert not np.array_equal(first["images"], other["images"])
    assert first["labels"].any()


def test_windowed_ct_gets_its_hounsfield_units_back(config: DataConfig, folder: Path) -> None:
    recipe = config.recipe.model_copy(
        update={"ct_window_hu": (-125.0, 275.0), "modality_plane": True, "mr_headroom": 0.5}
    )
    config = config.model_copy(update={"recipe": recipe})
    source = config.sources[1].model_copy(update={"window_hu": (-160.0, 240.0)})
    for kind in ("images", "masks"):
        grey = np.full((32, 32), 100, np.uint8)
        Image.fromarray(grey).save(folder / "slices" / kind / "p003_z0.png")
    path, files = folder / "slices" / "images" / "p003_z0.png", SourceFiles(config)
    windowed, plain = (slice_arrays(files, each, [path]) for each in (source, config.sources[1]))
    assert windowed["hounsfield"]
    assert not plain["hounsfield"]
    assert np.unique(plain["images"]).tolist() == [100]
    assert np.unique(windowed["images"]).tolist() == [78]  # -3 HU
