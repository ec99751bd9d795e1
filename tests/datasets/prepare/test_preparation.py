"""A preparation is resumed where it stopped, and rejects datasets with errors."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from layouts import (
    write_folders,
    write_lits,
)
from prepared import prepared, times
from rma_mamba.datasets.prepare import MANIFEST, RECIPE_DATA, PreparationOptions
from rma_mamba.errors import ConfigError, DataError


def test_an_interrupted_preparation_is_resumed(
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


def test_a_dataset_with_errors_is_rejected_or_its_bad_cases_left_out(tmp_path: Path) -> None:
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
    with pytest.raises(DataError, match=r"no case is left.* of case_\d: "):
        prepared("folders", root, out, PreparationOptions(lenient=True))


def test_a_folder_with_other_files_is_not_touched(tmp_path: Path) -> None:
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
