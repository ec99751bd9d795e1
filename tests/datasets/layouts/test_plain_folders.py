"""Plain folders of images and labels."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from audits import audited
from layouts import save, scan, write_chaos, write_folders
from rma_mamba.datasets.layouts import (
    LayoutOptions,
    open_dataset,
)
from rma_mamba.datasets.layouts.case_reader import read_images
from rma_mamba.errors import ConfigError


def test_series_and_slices_are_listed_beside_volumes(tmp_path: Path) -> None:
    chaos = write_chaos(tmp_path / "chaos") / "Train_Sets/CT/1"
    root = write_folders(tmp_path / "mine", 1)
    shutil.copytree(chaos / "DICOM_anon", root / "images" / "series_7")
    for k, path in enumerate(sorted((chaos / "Ground").iterdir())):
        for kind in ("images", "labels"):
            shutil.copy(path, root / kind / f"p03_z{k}.png")
    dataset = open_dataset("folders", root)
    assert [each.name for each in dataset.cases] == ["case_0", "series_7", "slices/p03"]
    assert dataset.cases[1].labels == ()
    assert [path.stem for path in dataset.cases[2].images][-1] == "p03_z9"
    renamed = open_dataset("folders", root, LayoutOptions(patient=r"\D*(\d+).*"))
    assert [each.patient for each in renamed.cases] == ["0", "7", "3"]
    mask = Image.open(root / "labels" / "p03_z5.png")
    expected = np.asarray(mask).T
    (root / "labels" / "p03_z5.png").unlink()
    mask.save(root / "labels" / "p03_z5.jpg", quality=60)
    parts = list(read_images(open_dataset("folders", root).cases[2]))
    assert parts[5].label is not None
    assert set(np.unique(parts[5].label.values)) == {0, 255}  # without the ringing of JPG
    assert (parts[5].label.values[:, :, 0] != expected).mean() < 0.02
    for wrong in ("(", "case", "x(.*)"):
        with pytest.raises(ConfigError, match="--patient"):
            open_dataset("folders", root, LayoutOptions(patient=wrong))


def test_what_operating_systems_leave_is_not_a_case(tmp_path: Path) -> None:
    for name in (
        "images/p1/IM1.dcm",
        "images/__MACOSX/p1/IM1.dcm",
        "images/._p2.nii",
        "labels/p1.nii",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "labels" / "._p1.nii").write_bytes(b"")
    dataset = open_dataset("folders", tmp_path)
    assert [case.name for case in dataset.cases] == ["p1"]
    assert dataset.irregularities == ()


def test_whoever_names_the_liver_may_have_labels_of_many_organs(tmp_path: Path) -> None:
    root = write_folders(tmp_path, 2)
    _, liver = scan(0)
    organs = liver.copy()
    organs[2:5, 2:5, 4:6] = 3
    save(root / "labels" / "case_0.nii.gz", organs)
    with_other_organ = audited("folders", root)
    assert [each.kind for each in with_other_organ.errors] == ["label values"]
    for named in ((1,), (1, 2)):
        assert audited("folders", root, liver=named).errors == []
    save(root / "labels" / "case_0.nii.gz", 3 * liver)  # still no liver
    assert [each.kind for each in audited("folders", root, liver=(1,)).errors] == ["empty label"]


def test_btcv_pairs_img0001_with_label0001(tmp_path: Path) -> None:
    for number in (1, 2):
        values, liver = scan(number)
        save(tmp_path / "img" / f"img000{number}.nii.gz", values)
        save(tmp_path / "label" / f"label000{number}.nii.gz", liver * np.uint8(6))
    (tmp_path / "label" / "label0003.nii.gz").write_bytes(b"")
    dataset = open_dataset("auto", tmp_path, LayoutOptions(liver=(6,), patient=r"img(\d+)"))
    assert (dataset.name, [case.patient for case in dataset.cases]) == ("folders", ["1", "2"])
    assert [path.name for case in dataset.cases for path in case.labels if path] == [
        "label0001.nii.gz",
        "label0002.nii.gz",
    ]
    assert "1 label without an image: skipped." in dataset.irregularities
