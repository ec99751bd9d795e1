"""Cases: split by patient, upright, on the network's canvas."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pydantic
import pytest
from PIL import Image

from rma_mamba.datasets.cases import phantom_cases, read_cases
from rma_mamba.datasets.config import DataConfig
from rma_mamba.datasets.labelled_images import read_slice, read_volume
from rma_mamba.datasets.source_files import SourceFiles
from rma_mamba.errors import ConfigError, GridError, ScanError


def patients(config: DataConfig, side: str) -> list[tuple[str, str]]:
    return [(case.source, case.patient) for case in read_cases(config, side)]  # type: ignore[arg-type]


def test_every_patient_is_on_one_side(config: DataConfig) -> None:
    assert patients(config, "train") == [("volumes", "1"), ("slices", "3"), ("slices", "10")]
    assert patients(config, "val") == [("volumes", "2"), ("slices", "4")]
    assert patients(config, "test") == [("slices", "11")]


def test_a_star_puts_all_others_into_the_test(config: DataConfig) -> None:
    splits = {"a": {"test": ["*"]}, "b": {"val": ["3"], "test": ["*"]}}
    config = DataConfig.model_validate({**config.model_dump(), "splits": splits})
    assert patients(config, "train") == []
    assert patients(config, "val") == [("slices", "3")]
    assert len(patients(config, "test")) == 5


def test_a_patient_on_two_sides_is_refused(config: DataConfig) -> None:
    splits = {"a": {"val": ["01"], "test": ["1"]}}
    with pytest.raises(pydantic.ValidationError, match="data leakage"):
        DataConfig.model_validate({**config.model_dump(), "splits": splits})


def test_folders_for_each_side_may_not_share_a_patient(config: DataConfig) -> None:
    sources = [
        {
            **config.sources[1].model_dump(),
            "split": split,
            "name": split,
            "files": f"p0*_z{number}*",
        }
        for number, split in enumerate(("train", "val"))
    ]
    config = DataConfig.model_validate({**config.model_dump(), "sources": sources, "splits": {}})
    with pytest.raises(ConfigError, match="in two splits"):
        read_cases(config, "train")
    apart = [{**sources[0], "files": "p003*"}, {**sources[1], "files": "p004*"}]
    config = DataConfig.model_validate({**config.model_dump(), "sources": apart})
    assert patients(config, "train") == [("train", "3")]
    assert patients(config, "val") == [("val", "4")]


def test_a_split_of_an_unknown_cohort_is_refused(config: DataConfig) -> None:
    with pytest.raises(pydantic.ValidationError, match="unknown datasets"):
        DataConfig.model_validate({**config.model_dump(), "splits": {"c": {}}})


def test_volumes_and_slices_come_upright_onto_the_canvas(config: DataConfig) -> None:
    volume, slices = read_cases(config, "val")
    assert volume.images.shape == volume.labels.shape == (5, 32, 32)
    assert volume.ordered
    assert not slices.ordered
    assert volume.labels.any(axis=(1, 2)).tolist() == [False, True, True, True, False]
    for case in (volume, slices):
        liver = case.labels > 0
        assert case.images[liver].mean() > case.images[~liver].mean() + 50
        assert np.argwhere(liver)[:, 2].mean() < 16  # the patient's right is on the left


def test_organs_and_the_gap_between_slices_travel_with_a_volume(
    config: DataConfig, folder: Path
) -> None:
    volume, slices = read_cases(config, "val")
    assert slices.tissues is None
    assert slices.gap_mm is None
    assert volume.tissues is not None
    assert np.array_equal(volume.tissues > 0, volume.labels > 0)
    path = sorted((folder / "volumes" / "labels").glob("*"))[1]
    image = nib.load(path)
    assert volume.gap_mm == pytest.approx(image.header.get_zooms()[2])
    values = np.asanyarray(image.dataobj).astype(np.uint8)
    values[values == 0] = 9
    nib.save(nib.Nifti1Image(values, image.affine), path)
    volume = read_cases(config, "val")[0]
    assert volume.tissues is not None
    assert 9 in volume.tissues
    assert np.array_equal(np.isin(volume.tissues, (0, 9)), volume.labels == 0)


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_quarter_turns_bring_a_slice_upright(config: DataConfig, folder: Path, turns: int) -> None:
    source = config.sources[1]
    path = folder / "slices" / "images" / "p003_z1.png"
    expected, labels = read_slice(SourceFiles(config), source, path)
    for each in (path, folder / "slices" / "masks" / path.name):
        Image.fromarray(np.rot90(np.asarray(Image.open(each)), -turns)).save(each)
    turned = source.model_copy(update={"quarter_turns": turns})
    volume, turned_labels = read_slice(SourceFiles(config), turned, path)
    assert np.array_equal(volume.values, expected.values)
    assert np.array_equal(turned_labels, labels)


def test_a_slice_mirrored_by_its_publisher_is_mirrored_back(
    config: DataConfig, folder: Path
) -> None:
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
def test_other_ways_to_write_a_label_are_understood(
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


def test_masks_of_0_and_1_are_understood(config: DataConfig, folder: Path) -> None:
    source, image = config.sources[1], folder / "slices" / "images" / "p003_z1.png"
    _, expected = read_slice(SourceFiles(config), source, image)
    path = folder / "slices" / "masks" / image.name
    Image.fromarray((np.asarray(Image.open(path)) > 0).astype(np.uint8)).save(path)
    assert expected.any()
    assert np.array_equal(read_slice(SourceFiles(config), source, image)[1], expected)


def test_labels_between_whole_numbers_are_refused(config: DataConfig, folder: Path) -> None:
    path = folder / "volumes" / "labels" / "case_01.nii.gz"
    values = np.full((30, 28, 5), 0.5, np.float32)
    nib.save(nib.Nifti1Image(values, nib.load(path).affine), path)
    with pytest.raises(ScanError, match="between whole numbers"):
        read_volume(
            SourceFiles(config), config.sources[0], folder / "volumes" / "images" / path.name
        )


def test_a_source_without_any_liver_is_refused(config: DataConfig) -> None:
    wrong = [config.sources[0].model_copy(update={"liver": (3,)}), config.sources[1]]
    config = config.model_copy(update={"sources": tuple(wrong)})
    with pytest.raises(ConfigError, match=r"source volumes: no label of the train split .*value 3"):
        read_cases(config, "train")


def test_phantoms_are_cases_too(config: DataConfig) -> None:
    config = DataConfig.model_validate({**config.model_dump(), "phantoms": {"count": 1}})
    (case,) = phantom_cases(config)
    assert case.labels.any()
    assert case.ordered


def test_a_missing_folder_is_one_line(config: DataConfig) -> None:
    lost = config.model_copy(update={"root": "nowhere"})
    with pytest.raises(ConfigError, match=r"source volumes: found no \.nii"):
        read_cases(lost, "train")


def test_an_image_without_label_is_named_by_its_source(config: DataConfig, folder: Path) -> None:
    (folder / "slices" / "masks" / "p003_z0.png").unlink()
    with pytest.raises(ConfigError, match="source slices: an image has no label"):
        read_cases(config, "train")


def test_a_name_without_patient_is_refused(config: DataConfig, folder: Path) -> None:
    (folder / "slices" / "images" / "other.png").write_bytes(b"")
    with pytest.raises(ConfigError, match="does not match the patient pattern"):
        read_cases(config, "train")


def test_a_label_on_another_grid_is_refused(config: DataConfig, folder: Path) -> None:
    path = folder / "volumes" / "labels" / "case_01.nii.gz"
    nib.save(nib.Nifti1Image(np.zeros((30, 28, 5), np.uint8), np.diag([4.0, 4, 9, 1])), path)
    with pytest.raises(GridError, match="is on a different grid"):
        read_volume(
            SourceFiles(config), config.sources[0], folder / "volumes" / "images" / path.name
        )


def test_a_damaged_picture_is_refused(config: DataConfig, folder: Path) -> None:
    (folder / "slices" / "images" / "p003_z0.png").write_bytes(b"no picture")
    with pytest.raises(ScanError, match="cannot be read"):
        read_cases(config, "train")
