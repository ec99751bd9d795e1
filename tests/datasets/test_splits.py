"""Splits: every patient is in one validation fold, test patients in none, and the seed determines the folds."""

import itertools
from pathlib import Path

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from folders import folder_config
from rma_mamba.datasets.config import DataConfig
from rma_mamba.datasets.source_files import SourceFiles
from rma_mamba.datasets.splits import SplitConfig, fold, patient_id, split_of
from rma_mamba.errors import ConfigError, DataError

PATIENTS = st.sets(st.integers(1, 999).map(str), min_size=7, max_size=40)


@given(patients=PATIENTS, folds=st.integers(2, 7), seed=st.integers(0, 9))
def test_every_patient_is_in_one_fold_and_folds_are_of_equal_size(patients, folds, seed) -> None:
    dealt = [fold(patients, folds, number, seed) for number in range(folds)]
    assert sorted(itertools.chain(*dealt)) == sorted(patients)
    assert max(map(len, dealt)) - min(map(len, dealt)) <= 1
    again = [fold(sorted(patients, reverse=True), folds, number, seed) for number in range(folds)]
    assert dealt == again


@given(patients=PATIENTS, number=st.integers(0, 2))
def test_the_test_split_is_the_same_in_every_fold(patients, number) -> None:
    tested = sorted(patients)[:3]
    split = SplitConfig(test=tuple(tested), folds=3, fold=number)
    splits = {patient: split_of(split, patient, patients) for patient in patients}
    assert sorted(each for each in patients if splits[each] == "test") == tested
    val = {each for each in patients if splits[each] == "val"}
    assert val == fold(patients - set(tested), 3, number)


def test_another_seed_gives_other_folds() -> None:
    patients = [str(number) for number in range(30)]
    assert fold(patients, 3, 0, 0) != fold(patients, 3, 0, 1)


def test_published_folds_are_used_unchanged() -> None:
    split = {"published": [["01", "2"], ["3"]], "test": ["9"]}
    for number, valid in ((0, "12"), (1, "3")):
        config = SplitConfig.model_validate({**split, "fold": number})
        assert [each for each in "12345" if split_of(config, each, ()) == "val"] == list(valid)
        assert split_of(config, "9", ()) == "test"


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ({"folds": 3, "fold": 3}, "expected less than 3"),
        ({"fold": 1}, "expected less than 1"),
        ({"published": [["1"]], "fold": 1}, "expected less than 1"),
        ({"folds": 2, "val": ["1"]}, "more than one of"),
        ({"folds": 2, "published": [["1"], ["2"]]}, "more than one of"),
    ],
)
def test_a_contradictory_split_is_rejected(split, message) -> None:
    with pytest.raises(pydantic.ValidationError, match=message):
        SplitConfig.model_validate(split)


def test_a_patient_of_a_fold_and_of_the_test_split_is_bad_data() -> None:
    with pytest.raises(DataError, match="data leakage"):
        SplitConfig.model_validate({"published": [["1"], ["2"]], "test": ["02"]})


def with_splits(config: DataConfig, **splits: object) -> DataConfig:
    return DataConfig.model_validate({**config.model_dump(), "splits": splits})


def test_folds_are_dealt_over_all_sources_of_a_dataset(config: DataConfig, folder: Path) -> None:
    second = config.sources[1].model_copy(update={"name": "second", "files": "p0*"})
    sources = [each.model_dump() for each in (*config.sources, second)]
    config = DataConfig.model_validate({**config.model_dump(), "sources": sources})
    seen: list[str] = []
    for number in range(2):
        split = {"folds": 2, "fold": number, "test": ["11"]}
        deal = with_splits(config, b=split, a={"folds": 2})
        SourceFiles(deal).check_leakage()
        valid = [set(SourceFiles(deal).images(source, "val")) for source in deal.sources[1:]]
        assert valid[1] <= valid[0]
        seen += valid[0]
        assert set(SourceFiles(deal).images(deal.sources[1], "test")) == {"11"}
    assert sorted(seen) == ["10", "3", "4"]


def test_more_folds_than_patients_are_rejected(config: DataConfig) -> None:
    with pytest.raises(ConfigError, match="3 folds but only 2 patients"):
        SourceFiles(with_splits(config, a={"folds": 3})).images(config.sources[0], "val")


def test_without_folds_all_unlisted_patients_are_trained_on(folder: Path) -> None:
    config = folder_config(folder)
    assert set(SourceFiles(config).images(config.sources[1], "train")) == {"3", "10"}


def test_the_old_key_valid_is_accepted_with_a_warning() -> None:
    with pytest.warns(DeprecationWarning, match="'valid' is deprecated .* use 'val'"):
        old = SplitConfig.model_validate({"valid": ["1"], "test": ["2"]})
    assert old == SplitConfig(val=("1",), test=("2",))
    assert [old.named_split(patient) for patient in "123"] == ["val", "test", "train"]


@pytest.mark.parametrize(
    ("name", "expected"), [("007", "7"), ("7", "7"), ("000", "0"), ("p07", "p07")]
)
def test_leading_zeros_of_a_patient_id_are_ignored(name: str, expected: str) -> None:
    assert patient_id(name) == expected
