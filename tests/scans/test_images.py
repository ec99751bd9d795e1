"""Image files are read as a stack of axial slices, with a warning about everything they do not define."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from rma_mamba.errors import ConfigError, ScanError
from rma_mamba.scans import count_volumes, read_geometry, read_scan

ROWS, COLUMNS = 6, 9


def grey(number: int = 0, dtype: type = np.uint8) -> Any:
    """Values [row, column], all different."""
    return (np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS) + number).astype(dtype)


@pytest.mark.parametrize("end", [".png", ".tif", ".bmp"])
def test_one_image_is_one_axial_slice(tmp_path: Path, end: str) -> None:
    path = tmp_path / f"slice{end}"
    Image.fromarray(grey()).save(path)
    volume = read_scan(path, spacing_mm=(0.8, 0.7, 5))
    assert np.array_equal(volume.values[:, :, 0], grey().T)
    assert volume.geometry.orientation == "LPS"
    assert volume.geometry.spacing_mm == (0.8, 0.7, 5)
    assert (volume.modality, volume.source_images) == (None, None)
    assert any("read as axial" in line for line in volume.warnings)
    assert (count_volumes(path), read_geometry(path).shape) == (1, (COLUMNS, ROWS, 1))


def test_a_folder_is_stacked_by_the_numbers_in_its_names(tmp_path: Path) -> None:
    for number in (1, 2, 10, 9, 100):
        Image.fromarray(grey(number)).save(tmp_path / f"z{number}.png")
    (tmp_path / "notes.txt").write_text("window 400/40")
    (tmp_path / ".hidden").write_text("")
    volume = read_scan(tmp_path, spacing_mm=(2.0,))
    assert volume.values[0, 0].tolist() == [1, 2, 9, 10, 100]
    assert volume.geometry.spacing_mm == (2, 2, 2)
    assert not any("spacing" in line for line in volume.warnings)


def test_without_a_spacing_one_millimetre_is_assumed_with_a_warning(tmp_path: Path) -> None:
    Image.fromarray(grey()).save(tmp_path / "a.png")
    volume = read_scan(tmp_path / "a.png")
    assert volume.geometry.spacing_mm == (1, 1, 1)
    assert any("no voxel spacing: 1 mm was assumed" in line for line in volume.warnings)


def test_pages_of_a_tiff_are_slices(tmp_path: Path) -> None:
    first, *rest = [Image.fromarray(grey(number)) for number in range(4)]
    first.save(tmp_path / "a.tif", save_all=True, append_images=rest)
    assert read_scan(tmp_path / "a.tif").values[0, 0].tolist() == [0, 1, 2, 3]


def test_16_bit_grey_levels_are_kept(tmp_path: Path) -> None:
    Image.fromarray(grey(60_000, np.uint16)).save(tmp_path / "a.png")
    assert np.array_equal(read_scan(tmp_path / "a.png").values[:, :, 0], grey(60_000, np.uint16).T)


def test_three_equal_channels_are_read_as_grey_and_colour_is_rejected(tmp_path: Path) -> None:
    colour = np.repeat(grey()[..., None], 3, axis=2)
    Image.fromarray(colour).save(tmp_path / "grey.png")
    Image.fromarray(colour).save(tmp_path / "grey.jpg", quality=95)
    assert np.array_equal(read_scan(tmp_path / "grey.png").values[:, :, 0], grey().T)
    assert read_scan(tmp_path / "grey.jpg").values.shape == (COLUMNS, ROWS, 1)
    colour[2, 3] = (255, 0, 0)
    Image.fromarray(colour).save(tmp_path / "colour.png")
    with pytest.raises(ScanError, match="in colour"):
        read_scan(tmp_path / "colour.png")


def test_images_of_two_sizes_are_rejected(tmp_path: Path) -> None:
    Image.fromarray(grey()).save(tmp_path / "1.png")
    Image.fromarray(grey().T.copy()).save(tmp_path / "2.png")
    with pytest.raises(ScanError, match="2 sizes"):
        read_scan(tmp_path)


@pytest.mark.parametrize("keep", [4, 10, 40, 50])
def test_a_truncated_image_is_a_typed_error(tmp_path: Path, keep: int) -> None:
    Image.fromarray(grey()).save(tmp_path / "Doe.png")
    content = (tmp_path / "Doe.png").read_bytes()
    (tmp_path / "Doe.png").write_bytes(content[:keep])
    with pytest.raises(ScanError, match="truncated, corrupt") as caught:
        read_scan(tmp_path / "Doe.png")
    assert "Doe" not in str(caught.value)


def test_a_decompression_bomb_is_rejected_before_decoding(tmp_path: Path) -> None:
    Image.new("1", (2**13 + 1, 2**13)).save(tmp_path / "a.png")
    with pytest.raises(ScanError, match="declares 8193 x 8192"):
        read_scan(tmp_path / "a.png")


@pytest.mark.parametrize("spacing", [(), (0.0,), (1, 2), (1, 1, -1), (float("nan"),), (1e9,)])
def test_an_invalid_spacing_is_a_config_error(tmp_path: Path, spacing: Any) -> None:
    Image.fromarray(grey()).save(tmp_path / "a.png")
    with pytest.raises(ConfigError, match="one positive number"):
        read_scan(tmp_path / "a.png", spacing_mm=spacing)


def test_a_spacing_for_a_scan_with_its_own_spacing_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "a.nii").write_bytes(bytes(400))
    with pytest.raises(ConfigError, match="defines its own"):
        read_scan(tmp_path / "a.nii", spacing_mm=(1.0,))
