"""The data table reads the prepared folder with the splits of the dataset."""

from __future__ import annotations

from pathlib import Path

from layouts import (
    write_cirrmri,
    write_folders,
    write_nnunet,
)
from prepared import patients_by_split, prepared, table
from rma_mamba.datasets.cases import read_cases
from rma_mamba.datasets.config import DataConfig
from rma_mamba.datasets.prepare import PreparationOptions
from rma_mamba.datasets.source_files import SourceFiles


def test_the_recipe_has_the_published_split(tmp_path: Path) -> None:
    out = tmp_path / "out"
    prepared("cirrmri600", write_cirrmri(tmp_path / "in"), out)
    config = table(out)
    SourceFiles(config).check_leakage()
    assert patients_by_split(config) == {
        "T1": [6, 1, 1],
        "T2": [6, 1, 1],
        "T2 2D": [1, 1, 1],
        "T1 healthy": [0, 0, 1],
        "T2 healthy": [0, 0, 1],
    }
    case = next(each for each in read_cases(config, "val") if each.source == "T2 2D")
    volume = next(each for each in read_cases(config, "val") if each.source == "T2")
    assert case.ordered
    assert case.labels.any(axis=(1, 2)).tolist() == volume.labels.any(axis=(1, 2)).tolist()


def test_without_a_published_split_the_recipe_has_folds(tmp_path: Path) -> None:
    out = tmp_path / "out"
    prepared("folders", write_folders(tmp_path / "in", 6), out, PreparationOptions(folds=3))
    config = table(out)
    assert config.splits["folders"].folds == 3
    assert patients_by_split(config) == {"volumes": [4, 2, 0]}
    other = config.model_dump()
    other["splits"]["folders"]["fold"] = 2
    SourceFiles(DataConfig.model_validate(other)).check_leakage()


def test_the_recipe_has_the_published_folds(tmp_path: Path) -> None:
    out = tmp_path / "out"
    folder = write_nnunet(tmp_path / "in")
    prepared("nnunet", folder, out, patient=r"(p.)_\d")
    config = table(out)
    SourceFiles(config).check_leakage()
    assert config.splits["dataset021_liver"].published == (("pA",), ("pB",))
    (source,) = config.sources
    assert {
        split: sorted(SourceFiles(config).images(source, split))
        for split in ("train", "val", "test")
    } == {
        "train": ["pB", "pC"],
        "val": ["pA"],
        "test": ["pD"],
    }
    assert len(SourceFiles(config).images(source, "val")["pA"]) == 2  # both visits


def test_the_intensity_mapping_of_slices_is_recorded(tmp_path: Path) -> None:
    manifest = prepared("cirrmri600", write_cirrmri(tmp_path / "in"), tmp_path / "out")
    recorded = {case.sequence: case.intensity for case in manifest.cases}
    assert recorded == {
        **dict.fromkeys(("T1", "T2", "T1 healthy", "T2 healthy"), "scan"),
        "T2 2D": "stored",
    }
    config = table(tmp_path / "out")
    stated = {source.name: source.intensity for source in config.sources}
    assert (stated["T2 2D"], stated["T2"]) == ("stored", None)
    assert config.recipe.grey_levels == "stored"
