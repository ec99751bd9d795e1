"""Data without a test set get one: a fold that is neither trained nor validated on."""

from pathlib import Path

import pytest

import layouts
from prepared import patients_by_split, prepared, table
from rma_mamba.datasets.config import DataConfig
from rma_mamba.datasets.prepare import PreparationOptions
from rma_mamba.datasets.source_files import SourceFiles
from rma_mamba.experiments.held_out_split import held_out_splits


def with_splits(data: DataConfig, splits: dict[str, object]) -> DataConfig:
    return DataConfig.model_validate({**data.model_dump(), "splits": splits})


@pytest.mark.parametrize("number", [0, 2])
def test_the_fold_after_the_validation_fold_is_held_out(tmp_path: Path, number: int) -> None:
    folder = layouts.write_folders(tmp_path / "in", 6)
    prepared("folders", folder, tmp_path / "out", PreparationOptions(folds=3))
    before = table(tmp_path / "out")
    split = before.splits["folders"].model_copy(update={"fold": number})
    splits = held_out_splits(SourceFiles(with_splits(before, {"folders": split.model_dump()})))
    after = with_splits(before, {name: each.model_dump() for name, each in splits.items()})
    SourceFiles(after).check_leakage()
    assert patients_by_split(after) == {"volumes": [2, 2, 2]}
    assert held_out_splits(SourceFiles(after)) == {}


def test_a_published_fold_is_held_out(tmp_path: Path) -> None:
    folder = layouts.write_folders(tmp_path / "in", 6)
    prepared("folders", folder, tmp_path / "out")
    folds = {"published": [["case_0"], ["case_1"], ["case_2"]], "fold": 2}
    before = with_splits(table(tmp_path / "out"), {"folders": folds})
    split = held_out_splits(SourceFiles(before))["folders"]
    assert split.test == ("case_0",)
    assert split.published[split.fold] == ("case_2",)
    assert split.published == (("case_1",), ("case_2",))


def test_too_few_folds_give_no_test_set(tmp_path: Path) -> None:
    folder = layouts.write_folders(tmp_path / "in", 6)
    prepared("folders", folder, tmp_path / "out", PreparationOptions(folds=2))
    assert held_out_splits(SourceFiles(table(tmp_path / "out"))) == {}
