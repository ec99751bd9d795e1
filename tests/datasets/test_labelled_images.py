"""Images and labels are read in radiological orientation on one grid."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from rma_mamba.datasets.cases import read_cases
from rma_mamba.datasets.config import DataConfig
from rma_mamba.datasets.labelled_images import read_grey_image, read_slice, read_volume
from rma_mamba.datasets.source_files import SourceFiles
from rma_mamba.errors import GridError, ScanError


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_quarter_turns_restore_the_orientation_of_a_slice(
    config: DataConfig, folder: Path, turns: int
) -> None:
    source = config.sources[1]
    path = folder / "slices" / "images" / "p003_z1.png"
    expected, labels = read_slice(SourceFiles(config), source, path)
    for each in (path, folder / "slices" / "masks" / path.name):
        Image.fromarray(np.rot90(np.asarray(Image.open(each)), -turns)).save(each)
    turned = source.model_copy(update={"quarter_turns": turns})
    volume, turned_labels = read_slice(SourceFiles(config), turned, path)
    assert np.array_equal(volume.values, expected.values)
    assert np.array_equal(turned_labels, labels)


def test_a_mirrored_slice_is_mirrored_back(config: DataConfig, folder: Path) -> None:
    source = config.sources[1]
    path = folder / "slices" / "images" / "p003_z1.png"
    expected, labels = read_slice(SourceFiles(config), source, path)
    for each in (path, folder / "slices" / "masks" / path.name):
        Image.fromarray(np.asarray(Image.open(each))[:, ::-1]).save(each)
    volume, found = read_slice(SourceFiles(config), source, path)
    assert np.array_equal(volume.values, expected.values)
    assert np.array_equal(found, labels)
    kept = source.model_copy(update={"mirrored_at_random": False})
    assert not np.array_equal(read_slice(SourceFiles(config), kept, path)[1], labels)


@pytest.mark.parametrize("kind", ["0 and 255", "floats"])
def test_other_encodings_of_a_label_give_the_same_liver(
    config: DataConfig, folder: Path, kind: str
) -> None:
    path = folder / "volumes" / "labels" / "case_01.nii.gz"
    image = folder / "volumes" / "images" / path.name
    _, expected = read_volume(SourceFiles(config), config.sources[0], image)
    values = expected * np.uint8(255) if kind == "0 and 255" else expected * np.float32(5.9999995)
    nib.save(nib.Nifti1Image(values, nib.load(path).affine), path)
    _, labels = read_volume(SourceFiles(config), config.sources[0], image)
    assert labels.any()
    assert np.array_equal(labels, expected)


def test_a_mask_of_0_and_1_equals_one_of_0_and_255(config: DataConfig, folder: Path) -> None:
    source, image = config.sources[1], folder / "slices" / "images" / "p003_z1.png"
    _, expected = read_slice(SourceFiles(config), source, image)
    path = folder / "slices" / "masks" / image.name
    Image.fromarray((np.asarray(Image.open(path)) > 0).astype(np.uint8)).save(path)
    assert expected.any()
    assert np.array_equal(read_slice(SourceFiles(config), source, image)[1], expected)


def test_labels_between_whole_numbers_are_rejected(config: DataConfig, folder: Path) -> None:
    path = folder / "volumes" / "labels" / "case_01.nii.gz"
    values = np.full((30, 28, 5), 0.5, np.float32)
    nib.save(nib.Nifti1Image(values, nib.load(path).affine), path)
    with pytest.raises(ScanError, match="not whole numbers"):
        read_volume(
            SourceFiles(config), config.sources[0], folder / "volumes" / "images" / path.name
        )


def test_a_label_on_another_grid_is_rejected(config: DataConfig, folder: Path) -> None:
    path = folder / "volumes" / "labels" / "case_01.nii.gz"
    nib.save(nib.Nifti1Image(np.zeros((30, 28, 5), np.uint8), np.diag([4.0, 4, 9, 1])), path)
    with pytest.raises(GridError, match="is on a different grid"):
        read_volume(
            SourceFiles(config), config.sources[0], folder / "volumes" / "images" / path.name
        )


def test_a_corrupt_slice_is_rejected(config: DataConfig, folder: Path) -> None:
    (folder / "slices" / "images" / "p003_z0.png").write_bytes(b"not an image")
    with pytest.raises(ScanError, match="cannot be read"):
        read_cases(config, "train")


def test_colour_and_16_bit_images_are_rejected(folder: Path) -> None:
    path = folder / "slices" / "images" / "p003_z0.png"
    grey = np.asarray(Image.open(path))
    Image.fromarray(np.stack([grey, grey, grey // 2], axis=2)).save(path)
    with pytest.raises(ScanError, match=r"p003_z0\.png cannot be read: .*colour"):
        read_grey_image(path)
    Image.fromarray(grey.astype(np.uint16) * 100).save(path)
    with pytest.raises(ScanError, match="expected 8-bit"):
        read_grey_image(path)


def test_a_grey_image_stored_as_colour_is_read(folder: Path, tmp_path: Path) -> None:
    grey = np.asarray(Image.open(folder / "slices" / "images" / "p003_z0.png"))
    Image.fromarray(np.stack([grey] * 3, axis=2)).save(tmp_path / "rgb.png")
    assert np.array_equal(read_grey_image(tmp_path / "rgb.png"), grey)


def test_a_slice_and_its_mask_have_the_same_size(config: DataConfig, folder: Path) -> None:
    path = folder / "slices" / "masks" / "p003_z1.png"
    Image.fromarray(np.asarray(Image.open(path))[1:]).save(path)
    with pytest.raises(GridError, match=r"slice of 32 x 40 pixels has a mask of 32 x 39 pixels"):
        read_slice(SourceFiles(config), config.sources[1], folder / "slices/images/p003_z1.png")
