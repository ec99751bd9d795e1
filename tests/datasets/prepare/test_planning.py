"""Finished cases are kept, and every patient has files of their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from layouts import (
    save,
    scan,
    write_folders,
)
from prepared import prepared, table, times
from rma_mamba.datasets.source_files import SourceFiles


def test_only_changed_cases_are_written_again(tmp_path: Path) -> None:
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


def test_patients_with_similar_names_have_separate_files(tmp_path: Path) -> None:
    for name, seed in (("a b", 1), ("a_b", 2), ("A+B", 3)):
        values, liver = scan(seed)
        save(tmp_path / "in" / "images" / f"{name}.nii", values)
        save(tmp_path / "in" / "labels" / f"{name}.nii", liver)
    manifest = prepared("folders", tmp_path / "in", tmp_path / "out")
    assert len({case.stem.lower() for case in manifest.cases}) == 3
    (source,) = table(tmp_path / "out").sources
    config = table(tmp_path / "out")
    assert sum(len(SourceFiles(config).images(source, split)) for split in ("train", "val")) == 3
