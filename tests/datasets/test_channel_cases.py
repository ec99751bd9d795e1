"""Training cases with several scans: files, arrays, samples, missing channels."""

from pathlib import Path
from typing import Any

import numpy as np
import pydantic
import pytest
import torch

from layouts import AFFINE, save
from rma_mamba.conventions import NIFTI_SUFFIXES
from rma_mamba.datasets.cases import Case, read_cases
from rma_mamba.datasets.channel_files import channel_files, channel_folder
from rma_mamba.datasets.config import DataConfig
from rma_mamba.datasets.data_manifest import data_manifest
from rma_mamba.datasets.labelled_images import read_volume
from rma_mamba.datasets.slices import SliceDataset, SliceDraw
from rma_mamba.datasets.source_files import SourceFiles
from rma_mamba.datasets.stacks import StackDataset, StackDraw
from rma_mamba.errors import ConfigError, GridError
from two_scans import data_settings, source, write_two_scans


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_two_scans(tmp_path, missing=[("P1", "T1"), ("P2", "T2")])


def config(root: Path, **changes: Any) -> DataConfig:
    return DataConfig.model_validate(data_settings(root, **changes))


def test_the_channels_of_the_sources_are_those_of_the_network(root: Path) -> None:
    found = config(root)
    assert found.recipe.channel_names == ("T1", "T2")
    assert found.sources[0].images == "T1"
    assert DataConfig.model_validate(found.model_dump()) == found


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sources": [source(), source(name="b", channels={}, images="T1")]}, "b has no channels"),
        ({"recipe": {"channel_names": ["T1"]}}, "has the channel T2"),
        ({"phantoms": {"count": 1}}, "phantoms are single scans"),
        ({"sources": [source(kind="slices", resample=True)]}, "which state no positions"),
        ({"sources": [source(images="T2")]}, "images is T2"),
        ({"sources": [source(channels={}, images="T1", resample=True)]}, "without channels"),
    ],
)
def test_settings_that_do_not_fit_are_rejected(
    root: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(pydantic.ValidationError, match=message):
        config(root, **changes)


def test_files_are_found_in_folders_and_by_pattern(tmp_path: Path) -> None:
    write_two_scans(tmp_path, missing=[("P1", "T1")])
    flat = tmp_path / "flat"
    flat.mkdir()
    for number, channel in enumerate(("T1", "T2")):
        for path in (tmp_path / channel).iterdir():
            path.rename(flat / f"{path.name.split('.')[0]}_{number:04}.nii.gz")
    places = {"T1": "flat/*_0000.nii.gz", "T2": "flat/*_0001.nii.gz"}
    files = SourceFiles(config(tmp_path, sources=[source(channels=places)]))
    own = files.config.sources[0]
    (image,) = files.images(own, "train")["P1"]
    assert files.channels(own, image) == {"T2": flat / "P1_0001.nii.gz"}
    assert files.label(own, image) == tmp_path / "labels" / "P1.nii.gz"
    assert files.files_of(own, files.images(own, "train")["P2"]) == [
        flat / "P2_0000.nii.gz",
        flat / "P2_0001.nii.gz",
    ]
    assert str(files.case_path(own, image)) == "P1.nii.gz"


def test_a_place_is_a_folder_or_a_pattern() -> None:
    assert channel_folder("a/b") == ("a/b", "")
    assert channel_folder("a/*_0001.nii.gz") == ("a", "*_0001.nii.gz")
    names = ["P.1_0000.nii.gz", "P.1_0001.nii", "x.txt", "_0000.nii.gz"]
    found = channel_files(
        Path(),
        {"A": "*_0000.nii.gz", "B": "*_0001.*"},
        lambda _: [Path(name) for name in names],
        NIFTI_SUFFIXES,
    )
    assert found == {"P.1": {"A": Path(names[0]), "B": Path(names[1])}}


def test_a_source_without_files_is_an_error(root: Path) -> None:
    files = SourceFiles(config(root, sources=[source(channels={"T1": "none", "T2": "no"})]))
    with pytest.raises(ConfigError, match=r"no \.nii\.gz or \.nii files .* in none or no"):
        read_cases(files, "train")


def test_slices_have_all_scans_and_missing_ones_are_black(root: Path) -> None:
    first, second = read_cases(config(root), "train")
    assert first.images.shape == (10, 2, *first.labels.shape[1:])
    assert (first.present, second.present) == ((False, True), (True, False))
    assert not first.images[:, 0].any()
    assert first.images[:, 1].any()
    assert second.images[:, 0].any()
    assert not second.images[:, 1].any()


def test_the_arrays_are_those_of_each_scan_alone(root: Path) -> None:
    (both,) = read_cases(config(root), "val")
    for number, channel in enumerate(("T1", "T2")):
        alone = source(channels={}, images=channel)
        (single,) = read_cases(config(root, sources=[alone]), "val")
        assert np.array_equal(both.images[:, number], single.images)
        assert np.array_equal(both.labels, single.labels)


def test_the_cache_notices_a_changed_channel(root: Path, tmp_path: Path) -> None:
    settings = config(root, cache=str(tmp_path / "cache"))
    (before,) = read_cases(settings, "val")
    path = root / "T2" / "P4.nii.gz"
    path.unlink()
    (after,) = read_cases(config(root, cache=str(tmp_path / "cache")), "val")
    assert (before.present, after.present) == ((True, True), (True, False))


def test_the_manifest_has_the_digests_of_all_channels(root: Path) -> None:
    files = SourceFiles(config(root))
    records = data_manifest(files, {split: read_cases(files, split) for split in ("train", "val")})
    assert [len(each["image_sha256"]) for each in records] == [1, 1, 2]
    assert [each.get("missing_channels") for each in records] == [["T1"], ["T2"], None]


def test_misaligned_channels_name_both_files(root: Path) -> None:
    shifted = AFFINE.copy()
    shifted[2, 3] = 6
    save(root / "T2" / "P4.nii.gz", np.zeros((44, 40, 10), np.int16), shifted)
    with pytest.raises(
        GridError, match=r"patient P4: T1 \(T1/P4\.nii\.gz\) and T2 \(T2/P4.*\+6\.00\) mm"
    ):
        read_cases(config(root), "val")
    resampled = config(root, sources=[source(resample=True)])
    files = SourceFiles(resampled)
    own = resampled.sources[0]
    volume, _ = read_volume(files, own, files.images(own, "val")["P4"][0])
    assert volume.channels["T2"].geometry.matches(volume.geometry)


def dataset(case: Case, dropout: float) -> SliceDataset:
    def centre(sample: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {"image": sample["image"] + 0.5, "label": sample["label"][1:2]}

    return SliceDataset([case], neighbours=True, transform=centre, channel_dropout=dropout)


def test_samples_have_the_neighbours_of_each_scan(root: Path) -> None:
    (case,) = read_cases(config(root), "val")
    image = dataset(case, 0.0)[5]["image"]
    for number in range(2):
        expected = torch.from_numpy(case.images[4:7, number]) / 255 + 0.5
        torch.testing.assert_close(image[3 * number : 3 * number + 3], expected)


def test_missing_scans_are_black_whatever_the_augmentation(root: Path) -> None:
    first, _ = read_cases(config(root), "train")
    image = dataset(first, 0.0)[3]["image"]
    assert not image[:3].any()
    assert image[3:].any()


def test_channel_dropout_leaves_one_scan_and_depends_on_the_draw_alone(root: Path) -> None:
    (case,) = read_cases(config(root), "val")
    found = dataset(case, 0.7)
    draws = [found[SliceDraw(4, (7, n))]["image"] for n in range(40)]
    kept = {tuple(bool(part.any()) for part in image.chunk(2)) for image in draws}
    assert kept == {(True, False), (False, True), (True, True)}
    assert torch.equal(found[SliceDraw(4, (7, 3))]["image"], draws[3])
    always = dataset(case, 1.0)
    assert all(
        sum(bool(p.any()) for p in always[SliceDraw(4, (n,))]["image"].chunk(2)) == 1
        for n in range(9)
    )


def test_stacks_have_the_channels_of_inference(root: Path) -> None:
    settings = config(
        root, recipe={**data_settings(root)["recipe"], "modality_plane": True}, crop=32
    )
    (case,) = read_cases(settings, "val")
    stacks = StackDataset([case], settings.recipe, lambda _: lambda sample: sample)
    sample = stacks[StackDraw(0, 4, (1,))]
    assert sample["image"].shape[:2] == (4, 7)
    numbers = sample["index"].numpy()
    for number in range(2):
        middle = sample["image"][:, 3 * number + 1]
        expected = torch.from_numpy(case.images[numbers, number]) / 255
        torch.testing.assert_close(middle, expected)
