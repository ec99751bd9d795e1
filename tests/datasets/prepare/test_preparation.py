"""A prepared folder holds what the source holds, is taken up where it stopped, and trains."""

from __future__ import annotations

import json
import shutil
import tomllib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from layouts import (
    SHAPE,
    save,
    scan,
    write_chaos,
    write_cirrmri,
    write_folders,
    write_lits,
    write_nnunet,
)
from rma_mamba.datasets.audit import audit
from rma_mamba.datasets.cases import read_cases
from rma_mamba.datasets.config import DataConfig
from rma_mamba.datasets.layouts import LayoutOptions, open_dataset
from rma_mamba.datasets.prepare import MANIFEST, RECIPE_DATA, Manifest, PreparationOptions, prepare
from rma_mamba.datasets.source_files import SourceFiles
from rma_mamba.errors import ConfigError, DataError, ScanError
from rma_mamba.files import atomic_write
from rma_mamba.scans import read_scan

TINY = {"recipe": {"size": 32, "spacing_mm": 4.0}, "crop": 32}


def prepared(
    name: str, root: Path, out: Path, choices: PreparationOptions | None = None, **options: object
) -> Manifest:
    return prepare(audit(open_dataset(name, root, LayoutOptions(**options))), out, choices)  # type: ignore[arg-type]


def table(out: Path) -> DataConfig:
    content = tomllib.loads((out / RECIPE_DATA).read_text("utf-8"))["data"]
    recipe = {**content.get("recipe", {}), **TINY["recipe"]}
    return DataConfig.model_validate({**content, **TINY, "recipe": recipe})


def times(out: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in out.rglob("*.nii")}


def patients_by_split(config: DataConfig) -> dict[str, list[int]]:
    """Number of patients of each source in each split."""
    return {
        source.name: [
            len(SourceFiles(config).images(source, split)) for split in ("train", "val", "test")
        ]
        for source in config.sources
    }


def test_volumes_keep_their_values_and_stand_upright(tmp_path: Path) -> None:
    out = tmp_path / "out"
    manifest = prepared("chaos", write_chaos(tmp_path / "in"), out)
    assert manifest.complete
    for case in manifest.cases:
        image, label = (
            read_scan(out / case.place / kind / f"{case.stem}.nii") for kind in ("images", "labels")
        )
        assert image.geometry.orientation == "LPS"
        assert label.geometry.matches(image.geometry)
        seed = 10 * int(case.patient) if case.dataset == "chaos-mr" else 50 + int(case.patient)
        values, liver = scan(seed)
        shift = {"T1 out of phase": 40, "T2": 80}.get(case.sequence, 0)
        assert np.array_equal(image.values, values + shift)
        assert np.array_equal(label.values, liver)
        assert case.slices == SHAPE[2]
        assert case.slices_with_liver == liver.any(axis=(0, 1)).sum()
        assert case.spacing_mm == (2.0, 2.0, 6.0)
        assert len(case.image_sha256) == len(case.label_sha256) == 64
        assert (case.low, case.high) == (-160, 240) or case.modality == "MR"
    assert {case.dataset: case.modality for case in manifest.cases} == {
        "chaos-mr": "MR",
        "chaos-ct": "CT",
    }


def test_the_published_split_becomes_the_recipes(tmp_path: Path) -> None:
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


def test_without_a_published_split_there_are_folds(tmp_path: Path) -> None:
    out = tmp_path / "out"
    prepared("folders", write_folders(tmp_path / "in", 6), out, PreparationOptions(folds=3))
    config = table(out)
    assert config.splits["folders"].folds == 3
    assert patients_by_split(config) == {"volumes": [4, 2, 0]}
    other = config.model_dump()
    other["splits"]["folders"]["fold"] = 2
    SourceFiles(DataConfig.model_validate(other)).check_leakage()


def test_published_folds_are_the_recipes(tmp_path: Path) -> None:
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


def test_pictures_show_the_window_that_the_manifest_states(tmp_path: Path) -> None:
    out = tmp_path / "out"
    choices = PreparationOptions(png=True, ct_window_hu=(100, 700))
    manifest = prepared("lits", write_lits(tmp_path / "in"), out, choices)
    case = manifest.cases[0]
    assert (case.low, case.high, case.modality) == (100, 700, "CT")
    assert table(out).recipe.ct_window_hu == (100, 700)
    values, liver = scan(0)
    for k in range(SHAPE[2]):
        name = f"{case.stem}_z{k:04d}.png"
        grey = np.asarray(Image.open(out / case.place / "png_images" / name)).T
        mask = np.asarray(Image.open(out / case.place / "png_labels" / name)).T
        assert np.array_equal(mask, 255 * liver[:, :, k])
        expected = 255 * (np.clip(values[:, :, k], 100, 700) - 100.0) / 600
        assert np.abs(grey - expected).max() <= 0.51
    with pytest.raises(ConfigError, match="--window-hu"):
        prepared("lits", tmp_path / "in", tmp_path / "b", PreparationOptions(ct_window_hu=(5, 5)))


def test_what_is_done_is_not_made_again_and_what_changed_is(tmp_path: Path) -> None:
    root, out = write_folders(tmp_path / "in", 3), tmp_path / "out"
    before = prepared("folders", root, out)
    first = times(out)
    assert prepared("folders", root, out) == before
    assert times(out) == first
    save(root / "labels" / "case_1.nii.gz", scan(1)[1] * np.uint8(255))
    (out / "volumes" / "images" / "case-2.nii").unlink()
    for kind in ("images", "labels"):
        (root / kind / "case_0.nii.gz").unlink()
    after = prepared("folders", root, out)
    assert [case.stem for case in after.cases] == ["case-1", "case-2"]
    second = times(out)
    assert set(second) == {"case-1.nii", "case-2.nii"}  # what is gone does not train
    assert all(second[name] != first[name] for name in second)
    assert after.cases[0].label_sha256 != before.cases[1].label_sha256
    prepared("folders", root, out, liver=(1, 2))
    assert times(out) != second


def test_an_interrupted_preparation_is_taken_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, out = write_folders(tmp_path / "in", 3), tmp_path / "out"
    replace = Path.replace

    def interrupted(self: Path, target: Path) -> Path:
        if Path(target).name == "case-1.nii" and Path(target).parent.name == "images":
            raise KeyboardInterrupt
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        prepared("folders", root, out)
    monkeypatch.undo()
    left = json.loads((out / MANIFEST).read_text())
    assert not left["complete"]
    assert [case["done"] for case in left["cases"]] == [True, False, False]
    assert not (out / RECIPE_DATA).exists()
    assert sorted(path.name for path in (out / "volumes" / "images").iterdir()) == ["case-0.nii"]
    first = times(out)["case-0.nii"]
    manifest = prepared("folders", root, out)
    assert manifest.complete
    assert times(out)["case-0.nii"] == first
    assert len(times(out)) == 3
    assert not list(out.rglob(".*"))


def test_a_dataset_with_errors_is_refused_or_the_bad_cases_left_out(tmp_path: Path) -> None:
    root, out = write_folders(tmp_path / "in", 4), tmp_path / "out"
    shutil.copy(root / "images" / "case_0.nii.gz", root / "images" / "case_3.nii.gz")
    shutil.copy(root / "labels" / "case_0.nii.gz", root / "labels" / "case_3.nii.gz")
    (root / "labels" / "case_1.nii.gz").unlink()
    with pytest.raises(DataError, match="2 errors in 3 cases"):
        prepared("folders", root, out)
    assert not out.exists()
    manifest = prepared("folders", root, out, PreparationOptions(lenient=True))
    assert [case.name for case in manifest.cases] == ["case_2"]
    assert set(manifest.left_out) == {"case_0", "case_1", "case_3"}
    (root / "labels" / "case_2.nii.gz").unlink()
    with pytest.raises(DataError, match="no case is left"):
        prepared("folders", root, out, PreparationOptions(lenient=True))


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    root, out = write_folders(tmp_path / "in", 2), tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("")
    with pytest.raises(ConfigError, match="contains other files"):
        prepared("folders", root, out)
    assert [path.name for path in out.iterdir()] == ["thesis.txt"]
    (out / MANIFEST).write_text("{}")
    with pytest.raises(ConfigError, match=r"manifest\.json in the output folder"):
        prepared("folders", root, out)
    prepared("lits", write_lits(tmp_path / "lits"), tmp_path / "b")
    with pytest.raises(ConfigError, match="contains another dataset"):
        prepared("folders", root, tmp_path / "b")


def test_patients_whose_names_look_alike_keep_their_own_files(tmp_path: Path) -> None:
    for name, seed in (("a b", 1), ("a_b", 2), ("A+B", 3)):
        values, liver = scan(seed)
        save(tmp_path / "in" / "images" / f"{name}.nii", values)
        save(tmp_path / "in" / "labels" / f"{name}.nii", liver)
    manifest = prepared("folders", tmp_path / "in", tmp_path / "out")
    assert len({case.stem.lower() for case in manifest.cases}) == 3
    (source,) = table(tmp_path / "out").sources
    config = table(tmp_path / "out")
    assert sum(len(SourceFiles(config).images(source, split)) for split in ("train", "val")) == 3


def test_a_full_disk_is_one_line_and_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, what: str):
        if path.suffix == ".nii":
            raise ScanError(f"the {what} cannot be written (No space left on device)")
        return atomic_write(path, what)

    monkeypatch.setattr("rma_mamba.scans.nifti.atomic_write", full)
    with pytest.raises(ScanError, match="No space left"):
        prepared("folders", write_folders(tmp_path / "in", 2), tmp_path / "out")
    assert not list((tmp_path / "out").rglob("*.nii"))
