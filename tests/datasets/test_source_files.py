"""Files of the sources: split by patient, listed once, each image with its label."""

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydantic
import pytest

from rma_mamba.datasets.cases import read_cases
from rma_mamba.datasets.config import DataConfig
from rma_mamba.datasets.data_manifest import data_manifest
from rma_mamba.datasets.source_files import SourceFiles
from rma_mamba.errors import ConfigError, DataError


def patients(config: DataConfig, split: str) -> list[tuple[str, str]]:
    return [(case.source, case.patient) for case in read_cases(config, split)]  # type: ignore[arg-type]


def test_every_patient_is_in_one_split(config: DataConfig) -> None:
    assert patients(config, "train") == [("volumes", "1"), ("slices", "3"), ("slices", "10")]
    assert patients(config, "val") == [("volumes", "2"), ("slices", "4")]
    assert patients(config, "test") == [("slices", "11")]


def test_a_star_selects_all_other_patients_for_the_test_split(config: DataConfig) -> None:
    splits = {"a": {"test": ["*"]}, "b": {"val": ["3"], "test": ["*"]}}
    config = DataConfig.model_validate({**config.model_dump(), "splits": splits})
    assert patients(config, "train") == []
    assert patients(config, "val") == [("slices", "3")]
    assert len(patients(config, "test")) == 5


def test_a_patient_in_two_splits_is_rejected(config: DataConfig) -> None:
    splits = {"a": {"val": ["01"], "test": ["1"]}}
    with pytest.raises(DataError, match="data leakage"):
        DataConfig.model_validate({**config.model_dump(), "splits": splits})


def test_sources_with_their_own_split_may_not_share_a_patient(config: DataConfig) -> None:
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
    with pytest.raises(DataError, match="in two splits"):
        read_cases(config, "train")
    apart = [{**sources[0], "files": "p003*"}, {**sources[1], "files": "p004*"}]
    config = DataConfig.model_validate({**config.model_dump(), "sources": apart})
    assert patients(config, "train") == [("train", "3")]
    assert patients(config, "val") == [("val", "4")]


def test_a_split_of_an_unknown_dataset_is_rejected(config: DataConfig) -> None:
    with pytest.raises(pydantic.ValidationError, match="unknown datasets"):
        DataConfig.model_validate({**config.model_dump(), "splits": {"c": {}}})


def test_a_missing_folder_is_reported_with_its_source(config: DataConfig) -> None:
    lost = config.model_copy(update={"root": "nowhere"})
    with pytest.raises(ConfigError, match=r"source volumes: found no \.nii"):
        read_cases(lost, "train")


def test_an_image_without_label_is_reported_with_its_source(
    config: DataConfig, folder: Path
) -> None:
    (folder / "slices" / "masks" / "p003_z0.png").unlink()
    with pytest.raises(ConfigError, match="source slices: an image has no label"):
        read_cases(config, "train")


def test_a_file_name_without_patient_id_is_rejected(config: DataConfig, folder: Path) -> None:
    (folder / "slices" / "images" / "other.png").write_bytes(b"")
    with pytest.raises(ConfigError, match="does not match the patient pattern"):
        read_cases(config, "train")


class Listings:
    """Counts how often each folder is listed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.counts: Counter[str] = Counter()
        for name in ("scandir", "listdir"):
            monkeypatch.setattr(os, name, self._counting(getattr(os, name)))

    def _counting(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def counting(path: Any = ".") -> Any:
            self.counts[str(path)] += 1
            return original(path)

        return counting


def test_every_folder_is_listed_once(config: DataConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    second = config.sources[1].model_copy(update={"name": "second", "files": "p0*"})
    sources = [each.model_dump() for each in (*config.sources, second)]
    splits = {"a": {"folds": 2}, "b": {"folds": 2, "test": ["11"]}}
    config = DataConfig.model_validate(
        {**config.model_dump(), "sources": sources, "splits": splits}
    )
    listings = Listings(monkeypatch)
    files = SourceFiles(config)
    cases = {split: read_cases(files, split) for split in ("train", "val", "test")}
    records = data_manifest(files, cases)  # type: ignore[arg-type]
    assert len(records) == sum(map(len, cases.values())) > 5
    data = {path: count for path, count in listings.counts.items() if path.startswith(config.root)}
    folders = ("volumes/images", "volumes/labels", "slices/images", "slices/masks")
    assert data == {f"{config.root}/{folder}": 1 for folder in folders}
    read_cases(config, "val")  # another run
    assert {listings.counts[path] for path in data} == {2}


def test_images_in_subfolders_are_found_by_their_pattern(config: DataConfig, folder: Path) -> None:
    images = folder / "volumes" / "images"
    (images / "deep").mkdir()
    (images / "case_02.nii.gz").rename(images / "deep" / "case_02.nii.gz")
    source = config.sources[0].model_copy(update={"files": "*/*"})
    found = SourceFiles(config.model_copy(update={"sources": (source,)})).images(source, "val")
    assert found == {"2": [images / "deep" / "case_02.nii.gz"]}


def test_a_label_may_have_another_suffix_and_its_own_name_wins(
    config: DataConfig, folder: Path
) -> None:
    source, image = config.sources[1], folder / "slices" / "images" / "p003_z1.png"
    masks = folder / "slices" / "masks"
    (masks / "p003_z1.jpg").write_bytes(b"")
    assert SourceFiles(config).label(source, image) == masks / "p003_z1.png"
    (masks / "p003_z1.png").unlink()
    assert SourceFiles(config).label(source, image) == masks / "p003_z1.jpg"


def two_volumes(root: Path, files: str) -> SourceFiles:
    source = {
        "name": "x",
        "dataset": "x",
        "kind": "volumes",
        "images": "images",
        "labels": "labels",
    }
    source |= {"files": files, "patient": r"p(\d+).*"}
    return SourceFiles(DataConfig.model_validate({"root": str(root), "sources": [source]}))


@pytest.mark.parametrize(("place", "files"), [("", "*.nii"), ("a/", "*/*.nii"), ("a/", "**/*.nii")])
def test_files_of_operating_systems_and_links_in_circles_are_no_images(
    tmp_path: Path, place: str, files: str
) -> None:
    for name in ("p1.nii", "p2.nii", "._p1.nii", "__MACOSX/p1.nii"):
        for folder in ("images", "labels"):
            path = tmp_path / folder / place / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")
    (tmp_path / "images" / "all").symlink_to(tmp_path / "images")
    (tmp_path / "images" / "other").symlink_to(tmp_path / "images" / "a")
    sources = two_volumes(tmp_path, files)
    (source,) = sources.config.sources
    found = sources.images(source, "train")
    assert found == {n: [tmp_path / "images" / place / f"p{n}.nii"] for n in ("1", "2")}
