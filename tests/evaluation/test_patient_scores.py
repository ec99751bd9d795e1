"""Scores of individual patients, and tables that show the worst one."""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from folders import folder_config, write_folder
from rma_mamba.datasets.config import DataConfig
from rma_mamba.errors import ConfigError
from rma_mamba.evaluation import PatientScore, patients_to_markdown, score_patients, score_segmenter
from rma_mamba.evaluation.patient_scores import check_split
from rma_mamba.inference import Segmentation
from rma_mamba.metrics import to_paper_size
from rma_mamba.slicing import calibrated
from rma_mamba.volume import Mask, Volume


class Bright:
    """Segments bright voxels, and `extra` columns at the edge of every slice."""

    postprocessing = "standard"

    def __init__(self, threshold: float, extra: int = 0) -> None:
        self.threshold, self.extra = threshold, extra

    def __call__(
        self, volume: Volume, *, modality: str | None = None, square_side: int
    ) -> Segmentation:
        labels = (volume.values > self.threshold).astype(np.uint8)
        labels[: self.extra] = 1
        slices = volume.geometry.canonical.apply(labels)
        squares = np.stack([to_paper_size(each) for each in slices])
        assert squares.shape[-1] == square_side
        return Segmentation(
            Mask(labels, volume.geometry), calibrated(volume, "MR"), squares=squares
        )


def scores(tmp_path: Path, segmenter: Bright, split: str) -> list[PatientScore]:
    config = folder_config(write_folder(tmp_path))
    return list(score_patients(segmenter, config, split))  # type: ignore[arg-type]


def test_a_perfect_mask_scores_one_and_its_volumes_agree(tmp_path: Path) -> None:
    volume, slices = scores(tmp_path, Bright(400), "val")
    assert (volume.source, volume.patient, volume.dice, volume.scored) == (
        "volumes",
        "2",
        1.0,
        1,
    )
    assert volume.reference_ml == volume.found_ml == pytest.approx(8 * 12 * 3 * 4 * 4 * 8 / 1000)
    assert volume.false_ml == 0
    assert slices.dice == 0  # the liver of the slices is darker than the threshold
    assert slices.scored == 1  # one of two slices contains liver


def test_every_volume_and_every_slice_has_its_scores(tmp_path: Path) -> None:
    config = folder_config(write_folder(tmp_path))
    volume, *slices = score_segmenter(Bright(400), config, "val", method="bright")  # type: ignore[arg-type]
    assert (volume.method, volume.group, volume.patient, volume.case) == (
        "bright",
        "volumes",
        "2",
        "case_02",
    )
    assert volume.volume is not None
    assert (volume.volume.dice, volume.volume.hd_mm, volume.volume.nsd_2mm) == (1, 0, 1)
    assert [each.has_liver for each in volume.slices] == [False, True, True, True, False]
    assert [(each.patient, each.case) for each in slices] == [("4", "p004_z0"), ("4", "p004_z1")]
    assert all(each.volume is None and len(each.slices) == 1 for each in slices)
    assert slices[1].slices[0].values["dice"] == pytest.approx(0)


def test_false_positives_without_liver_are_counted(tmp_path: Path) -> None:
    volume, _ = scores(tmp_path, Bright(400, extra=2), "val")
    assert volume.false_ml == pytest.approx(2 * (2 * 28) * 4 * 4 * 8 / 1000)
    assert volume.dice < 1
    (slices,) = scores(tmp_path / "again", Bright(100, extra=1), "test")
    assert slices.false_ml == 1
    assert math.isnan(slices.found_ml)


def test_the_old_name_of_a_split_is_accepted_and_an_unknown_one_rejected(tmp_path: Path) -> None:
    config = folder_config(write_folder(tmp_path))
    current = score_segmenter(Bright(400), config, "val")  # type: ignore[arg-type]
    with pytest.warns(DeprecationWarning, match="use 'val'"):
        old = score_segmenter(Bright(400), config, "valid")  # type: ignore[arg-type]
    assert [each.case for each in old] == [each.case for each in current]
    with pytest.raises(
        ConfigError, match="unknown split 'validation'; expected one of train, val, test"
    ):
        score_segmenter(Bright(400), config, "validation")  # type: ignore[arg-type]


def test_every_folder_is_listed_only_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed: Counter[Path] = Counter()

    def counted(folder: Path, listing=Path.iterdir) -> Iterator[Path]:
        listed[folder] += 1
        return listing(folder)

    config = folder_config(write_folder(tmp_path))
    monkeypatch.setattr(Path, "iterdir", counted)
    score_segmenter(Bright(400), config, "val")  # type: ignore[arg-type]
    assert listed
    assert set(listed.values()) == {1}


def test_the_table_has_a_row_for_each_patient_and_names_the_worst() -> None:
    nan = float("nan")
    table = patients_to_markdown(
        [
            PatientScore("MR", "5", 0.95, 1, 1500.0, 1480.0, 0.0, "MR"),
            PatientScore("MR", "20", 0.85, 1, 900.0, 1100.0, 12.5, "MR"),
            PatientScore("CT 1", "7", 0.9, 3, nan, nan, 1.0, "CT"),
            PatientScore("CT 2", "7", 0.5, 1, nan, nan, 0.0, "CT"),
            PatientScore("CT 2", "9", 0.6, 1, nan, nan, 0.0, "CT"),
            PatientScore("CT 2", "8", nan, 0, nan, nan, 0.0, "CT"),
        ]
    )
    assert "| MR | 20 | 0.850 | 1 | 900 | 1100 | 12.5 mL |" in table
    assert "| CT 2 | 8 | - | 0 | - | - | 0 slices |" in table
    assert "| MR | 2 | 0.900 | 0.900 | 0.850 (20) |" in table
    assert "| CT | 2 | 0.700 | 0.760 | 0.600 (9) |" in table


def test_islands_count_in_the_paper_s_protocol_whatever_is_removed_from_the_mask(
    tmp_path: Path,
) -> None:
    config = folder_config(write_folder(tmp_path))

    class Island(Bright):
        def __call__(
            self, volume: Volume, *, modality: str | None = None, square_side: int
        ) -> Segmentation:
            result = super().__call__(volume, modality=modality, square_side=square_side)
            squares = np.array(result.squares)
            squares[:, :8, -8:] = True
            return replace(result, squares=squares)

    clean, island = (
        score_segmenter(each, config, "val")  # type: ignore[arg-type]
        for each in (Bright(400), Island(400))
    )
    assert [each.volume for each in clean] == [each.volume for each in island]
    assert clean[0].slices[0].values["dice"] == 1
    assert island[0].slices[0].values["dice"] < 1e-9
    assert clean[0].postprocessing == "standard"


def test_an_empty_split_names_the_one_that_has_patients(tmp_path: Path) -> None:
    config = folder_config(write_folder(tmp_path))
    content = config.model_dump()
    content["splits"]["b"]["test"] = ()
    with pytest.raises(ConfigError, match=r"the val split has 2; .* Choose it with --split val,"):
        check_split(DataConfig.model_validate(content), "test")
    content["splits"] = {"b": {"test": ["11"]}}
    with pytest.raises(ConfigError, match=r"the test split has 1; .* Choose it with --split test,"):
        check_split(DataConfig.model_validate(content), "val")
    content["splits"] = {}
    with pytest.raises(ConfigError, match=r"no other split has any to score"):
        check_split(DataConfig.model_validate(content), "test")
    check_split(config, "test")
