"""docs/reference/scores.md agrees with the code."""

import re
from dataclasses import fields
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from rma_mamba.evaluation import FILES
from rma_mamba.metrics import VolumeScore

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "scores.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(("reference", "ours", "other")):
        Path(name).mkdir()
        for case in range(2):
            mask = np.zeros((16, 16, 4), np.uint8)
            mask[2 : 10 + case - number, 4:12, 1:3] = 1
            image = nib.Nifti1Image(mask, np.diag([2.0, 2.0, 5.0, 1.0]))
            nib.save(image, f"{name}/case_{case}.nii.gz")


def test_the_example_prints_what_the_page_shows(folders: None, capsys) -> None:
    first, second = blocks("python")
    exec(compile(first, "scores.md", "exec"), {})
    (promised,) = blocks("text")
    assert capsys.readouterr().out == promised
    exec(compile(second, "scores.md", "exec"), {})
    assert "| dice | ours - other |" in capsys.readouterr().out
    assert all((Path("scores") / name).exists() for name in FILES)


def test_the_page_defines_every_column_and_file() -> None:
    for name in (*(field.name for field in fields(VolumeScore)), *FILES, "row_distance_paper"):
        assert f"`{name}`" in PAGE, name
