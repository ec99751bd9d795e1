"""Results of earlier runs are recognised by the run record beside them, previews by a mark inside."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rma_mamba.folder_tree import folder_tree
from rma_mamba.reporting import write_preview
from rma_mamba.scans.earlier_results import is_preview, results_in, without_results
from rma_mamba.volume import Geometry, Mask, Volume

RECORD = {"rma_mamba": "0.2.0", "files": {"liver.nii.gz": "0" * 64, "preview.png": "1" * 64}}


def test_the_run_record_lists_the_results(tmp_path: Path) -> None:
    for name in ("liver.nii.gz", "scan.nii.gz", "preview.png"):
        (tmp_path / name).write_bytes(b"")
    assert results_in(tmp_path) == frozenset()
    (tmp_path / "run.json").write_text(json.dumps(RECORD))
    assert results_in(tmp_path) == {"liver.nii.gz", "preview.png", "run.json"}
    left = without_results(folder_tree(tmp_path))
    assert [path.name for path in left] == ["scan.nii.gz"]


@pytest.mark.parametrize(
    "content",
    ["", "[1]", "{}", '{"files": {"a.nii": ""}}', "\xff", "[" * 100_000, '{"rma_mamba'],
    ids=lambda content: content[:10],
)
def test_another_file_of_that_name_is_no_record(tmp_path: Path, content: str) -> None:
    (tmp_path / "run.json").write_bytes(content.encode("latin-1"))
    assert results_in(tmp_path) == frozenset()
    (tmp_path / "run.json").unlink()
    (tmp_path / "run.json").mkdir()
    assert results_in(tmp_path) == frozenset()


def test_a_record_without_files_lists_itself(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"rma_mamba": "0.2.0", "files": [1]}')
    assert results_in(tmp_path) == {"run.json"}


def test_a_preview_is_recognised_and_another_image_is_not(tmp_path: Path) -> None:
    geometry = Geometry((5, 4, 3), np.eye(4))
    volume = Volume(np.arange(60.0).reshape(5, 4, 3), geometry)
    write_preview(volume, Mask(np.ones((5, 4, 3), np.uint8), geometry), tmp_path / "a.png")
    Image.open(tmp_path / "a.png").convert("L").save(tmp_path / "b.png")
    (tmp_path / "c.png").symlink_to("nowhere")
    found = [is_preview(tmp_path / name) for name in ("a.png", "b.png", "c.png", "a.txt")]
    assert found == [True, False, False, False]
