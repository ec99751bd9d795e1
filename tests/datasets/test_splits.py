"""Folds: every patient validates once, the test never, and one seed always deals in one way."""

import itertools
from pathlib import Path

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from folders import folder_config
from rma_mamba.datasets.config import DataConfig
from rma_mamba.datasets.source_files import SourceFiles
from rma_mamba.datasets.splits import SplitConfig, fold, split_of
from rma_mamba.errors import ConfigError

PATIENTS = st.sets(st.integers(1, 999).map(str), min_size=7, max_size=40)


@given(patients=PATIENTS, folds=st.integers(2, 7), seed=st.integers(0, 9))
def test_every_patient_validates_in_one_fold_and_folds_are_even(patients, folds, seed) -> None:
    dealt = [fold(patients, folds, number, seed) for number in range(folds)]
    assert sorted(itertools.chain(*dealt)) == sorted(patients)
    assert max(map(len, dealt)) - min(map(len, dealt)) <= 1
    again = [fold(sorted(patients, reverse=True), folds, number, seed) for number in range(folds)]
    assert dealt == again


@given(patients=PATIENTS, number=st.integers(0, 2))
def test_the_test_is_the_same_in_every_fold(patients, number) -> None:
    tested = sorted(patients)[:3]
    split = SplitConfig(test=tuple(tested), folds=3, fold=number)
    sides = {patient: split_of(split, patient, patients) for patient in patients}
    assert sorted(each for each in patients if sides[each] == "test") == tested
    valid = {each for each in patients if sides[each] == "val"}
    assert valid == fold(patients - set(tested), 3, number)


def test_another_seed_deals_in_another_way() -> None:
    patients = [str(number) for number in range(30)]
    assert fold(patients, 3, 0, 0) != fold(patients, 3, 0, 1)


def test_published_folds_are_taken_as_they_are() -> None:
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
        ({"published": [["1"], ["2"]], "test": ["02"]}, "data leakage"),
    ],
)
def test_a_split_that_contradicts_itself_is_refused(split, message) -> None:
    with pytest.raises(pydantic.ValidationError, match=message):
        SplitConfig.model_validate(split)


def with_splits(config: DataConfig, **splits: object) -> DataConfig:
    return DataConfig.model_validate({**config.model_dump(), "splits": splits})


def test_a_cohort_is_dealt_out_over_all_its_sources(config: DataConfig, folder: Path) -> None:
    twin = config.sources[1].model_copy(update={"name": "twin", "files": "p0*"})
    sources = [each.model_dump() for each in (*config.sources, twin)]
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


def test_more_folds_than_patients_are_refused(config: DataConfig) -> None:
    with pytest.raises(ConfigError, match="3 folds but only 2 patients"):
        SourceFiles(with_splits(config, a={"folds": 3})).images(config.sources[0], "val")


def test_a_split_without_folds_is_as_before(folder: Path) -> None:
    config = folder_config(folder)
    assert set(SourceFiles(config).images(config.sources[1], "train")) == {"3", "10"}
