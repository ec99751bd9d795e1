"""Scores of methods with several training runs."""

import csv
import io
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rma_mamba.evaluation import (
    CaseName,
    CaseScore,
    ScoreSummary,
    score_case,
    summarise,
    summary_to_markdown,
    write_scores,
)
from rma_mamba.volume import Geometry

GRID = Geometry((6, 6, 3), np.diag([10.0, 10.0, 10.0, 1.0]))


def case(patient: str, length: int, run: int | None, method: str = "ours") -> CaseScore:
    """A rod of 4 voxels, of which the first `length` were found: the recall is a quarter of it."""
    masks = np.zeros((2, *GRID.shape), np.uint8)
    masks[0, :4, 2, 1] = masks[1, :length, 2, 1] = 1
    name = CaseName(method, "MR", "all", patient, patient, run=run)
    return score_case(name, *masks, GRID)


def table(lengths: dict[int | None, dict[str, int]], method: str = "ours") -> list[CaseScore]:
    """A case per run and patient."""
    return [
        case(patient, length, run, method)
        for run, found in lengths.items()
        for patient, length in found.items()
    ]


def of(found, metric: str, protocol: str = "per_volume"):
    (one,) = [each for each in found if (each.metric, each.protocol) == (metric, protocol)]
    return one


RUNS = {1: {"a": 4, "b": 2, "c": 1}, 2: {"a": 4, "b": 1, "c": 1}, 3: {"a": 4, "b": 3, "c": 1}}


def test_the_mean_is_over_runs_and_each_patient_counts_once() -> None:
    recall = of(summarise(table(RUNS)), "recall")
    assert (recall.patients, recall.samples, recall.runs) == (3, 3, 3)
    means = [7 / 12, 6 / 12, 8 / 12]
    assert recall.mean == pytest.approx(np.mean(means))
    assert recall.sd_over_runs == pytest.approx(np.std(means, ddof=1))
    assert recall.median == pytest.approx(0.5)  # patient b, mean of its runs
    assert (recall.worst, recall.worst_patient) == (0.25, "c")
    slices = of(summarise(table(RUNS)), "dice", "paper_per_slice_all")
    assert (slices.samples, slices.runs) == (9, 3)


def test_runs_widen_the_interval_and_equal_runs_do_not() -> None:
    one = of(summarise(table({None: RUNS[1]})), "recall")
    equal = of(summarise(table(dict.fromkeys((1, 2, 3), RUNS[1]))), "recall")
    assert (equal.mean_low, equal.mean_high) == pytest.approx((one.mean_low, one.mean_high))
    assert (equal.sd_over_runs, one.runs) == (0, 1)
    assert math.isnan(one.sd_over_runs)
    good, bad = dict.fromkeys("abcdef", 4), dict.fromkeys("abcdef", 1)
    apart = of(summarise(table({1: good, 2: bad})), "recall")
    assert (apart.mean_low, apart.mean_high) == (0.25, 1)


def test_a_distance_that_one_run_lacks_is_counted_and_ranks_last() -> None:
    runs = {1: {"a": 4, "b": 2}, 2: {"a": 3, "b": 0}}
    distance = of(summarise(table(runs)), "hd_mm")
    assert (distance.undefined, distance.patients, distance.worst_patient) == (1, 2, "b")
    assert distance.mean == pytest.approx((0 + 20 + 10) / 3)


def test_paired_tests_average_a_patient_over_its_runs_first() -> None:
    other = table({1: {"a": 2, "b": 2, "c": 1}, 9: {"a": 4, "b": 0, "c": 1}}, "theirs")
    summary = ScoreSummary.of([*table(RUNS), *other])
    recall = of(summary.tests, "recall")
    assert (recall.patients, recall.left_out) == (3, 0)
    assert recall.mean_difference == pytest.approx(np.mean([1 - 0.75, 0.5 - 0.25, 0]))
    assert (
        recall.p == 0.5
    )  # two equal differences: a patient is one pair, whatever the number of runs
    assert recall.difference_low < recall.mean_difference < recall.difference_high
    distance = of(summary.tests, "hd_mm")
    assert (distance.patients, distance.left_out) == (2, 1)  # b has no distance in run 9


def test_runs_are_in_tables_and_files(tmp_path: Path) -> None:
    cases = table(RUNS)
    summary = ScoreSummary.of(cases, resamples=100)
    shown = summary_to_markdown(summary)
    assert "9 volumes of 3 patients in 3 runs." in shown
    assert "| recall | 0.583 ± 0.083 |" in shown
    write_scores(tmp_path, cases, summary)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "per_case.csv").read_text())))
    assert [row["run"] for row in rows] == [*"111", *"222", *"333"]
    runs = list(csv.DictReader(io.StringIO((tmp_path / "runs.csv").read_text())))
    recalls = [row for row in runs if (row["metric"], row["protocol"]) == ("recall", "per_volume")]
    assert [(row["run"], row["mean"]) for row in recalls] == [
        ("1", "0.583333"), ("2", "0.5"), ("3", "0.666667"),
    ]  # fmt: skip
    content = json.loads((tmp_path / "summary.json").read_text())
    assert content["bootstrap"]["draws"] == "patients and runs"
    assert len(content["runs"]) == len(runs)


def test_files_of_methods_with_one_run_have_no_column_of_runs(tmp_path: Path) -> None:
    write_scores(tmp_path, table(RUNS), ScoreSummary.of(table(RUNS), resamples=100))
    assert (tmp_path / "runs.csv").exists()
    cases = [replace(each, run=None) for each in table({1: RUNS[1]})]
    write_scores(tmp_path, cases, ScoreSummary.of(cases, resamples=100))
    assert not (tmp_path / "runs.csv").exists()
    assert "run" not in (tmp_path / "per_case.csv").read_text().splitlines()[0].split(",")
