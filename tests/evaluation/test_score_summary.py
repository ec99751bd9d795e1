"""Summaries, paired tests, tables and files of synthetic scores."""

import csv
import io
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rma_mamba.evaluation import (
    FILES,
    CaseName,
    CaseScore,
    ScoreSummary,
    count_empties,
    paired_tests,
    score_case,
    summarise,
    summary_to_markdown,
    write_scores,
)
from rma_mamba.volume import Geometry

GRID = Geometry((6, 6, 3), np.diag([10.0, 10.0, 10.0, 1.0]))  # a voxel is 1 mL


def case(
    patient: str, length: int, *, method: str = "ours", name: str = "1", true: int = 4
) -> CaseScore:
    """A rod of `true` voxels in the middle slice, of which the first `length` were found."""
    masks = np.zeros((2, *GRID.shape), np.uint8)
    masks[0, :true, 2, 1] = masks[1, :length, 2, 1] = 1
    return score_case(CaseName(method, "MR", "all", patient, name), *masks, GRID)


def of(summaries, metric: str, protocol: str = "per_volume"):
    (found,) = [each for each in summaries if (each.metric, each.protocol) == (metric, protocol)]
    return found


def test_every_patient_counts_once_for_any_number_of_volumes() -> None:
    cases = [case("a", 4), case("b", 2), case("b", 2, name="2"), case("b", 2, name="3")]
    recall = of(summarise(cases), "recall")
    assert (recall.patients, recall.samples, recall.mean, recall.median) == (2, 2, 0.75, 0.75)
    assert (recall.worst, recall.worst_patient) == (0.5, "b")
    assert (recall.mean_low, recall.mean_high) == (0.5, 1)
    by_slice = of(summarise(cases), "recall", "paper_per_slice_liver")
    assert (by_slice.patients, by_slice.samples) == (2, 4)
    assert by_slice.mean == pytest.approx(
        (1 + 3 * 0.5) / 4, abs=0.03
    )  # resampling clips the ends of the rod


def test_the_worst_patient_depends_on_the_direction_of_the_metric() -> None:
    summaries = summarise([case("a", 4), case("b", 2), case("c", 5)])
    assert of(summaries, "dice").worst_patient == "b"
    assert of(summaries, "hd_mm").worst == 20
    assert of(summaries, "volume_error_ml").worst == pytest.approx(-2)
    assert of(summaries, "volume_error_ml").mean == pytest.approx(-1 / 3)


def test_undefined_values_are_excluded_and_counted() -> None:
    cases = [case("a", 4), case("b", 0), case("c", 0, true=0), case("d", 3, true=0)]
    distance = of(summarise(cases), "hd_mm")
    assert (distance.patients, distance.undefined, distance.mean) == (2, 2, 0)
    assert of(summarise(cases), "dice").mean == pytest.approx((1 + 0 + 1 + 0) / 4)
    volumes, slices, liver = count_empties(cases)
    assert (volumes.total, volumes.neither, volumes.both) == (4, 1, 1)
    assert (volumes.reference, volumes.prediction, volumes.patients) == (1, 1, 4)
    assert (slices.total, slices.both, slices.reference, slices.prediction) == (12, 9, 1, 1)
    assert (liver.total, liver.neither, liver.prediction) == (2, 1, 1)
    nothing = of(summarise([case("b", 0)]), "hd_mm")
    assert (nothing.patients, nothing.undefined, nothing.worst_patient) == (0, 1, "")
    assert math.isnan(nothing.mean)


def test_methods_are_paired_by_patient_and_corrected_together() -> None:
    lengths = {"good": 4, "middling": 3, "bad": 1}
    cases = [
        case(str(patient), length - (patient == 0), method=name)
        for name, length in lengths.items()
        for patient in range(6)
    ]
    tests = [each for each in paired_tests(cases) if each.protocol == "per_volume"]
    recall = [each for each in tests if each.metric == "recall"]
    pairs = [(each.first, each.second) for each in recall]
    assert pairs == [("good", "middling"), ("good", "bad"), ("middling", "bad")]
    assert [each.mean_difference for each in recall] == pytest.approx([0.25, 0.75, 0.5])
    assert all(each.patients == 6 and each.left_out == 0 for each in recall)
    assert all(each.p_holm == pytest.approx(min(1, 3 * each.p)) for each in recall[:1])
    # `bad` has an empty prediction for patient 0, where distances are undefined
    distance = [each for each in tests if each.metric == "hd_mm"]
    assert [each.patients for each in distance] == [6, 5, 5]
    assert [each.left_out for each in distance] == [0, 1, 1]


def test_over_and_underestimated_volumes_are_equally_wrong() -> None:
    cases = [case(p, length, method=m) for p in "abc" for m, length in (("more", 5), ("less", 3))]
    (test,) = [each for each in paired_tests(cases) if each.metric == "volume_error_ml"]
    assert test.mean_difference == pytest.approx(0)
    assert test.p == 1


def test_a_single_method_has_no_paired_tests() -> None:
    assert paired_tests([case("a", 4), case("b", 3)]) == []


def test_the_tables_name_the_protocols_and_do_not_mention_hausdorff() -> None:
    cases = [case(p, length, method=m) for p in "ab" for m, length in (("x", 3), ("y", 0))]
    shown = summary_to_markdown(ScoreSummary.of(cases))
    assert "**x, all: per volume, on the scan's own grid**" in shown
    assert "**y, all: paper_per_slice, liver-containing slices only, at 256 x 256**" in shown
    assert (
        "2 volumes of 2 patients. Empty masks: both 0, reference only 0, prediction only 2."
        in shown
    )
    assert "6 slices of 2 patients." in shown
    assert "| hd_mm | - | - | - | - | - | 2 |" in shown
    assert "| dice | x - y | 2 | 0.857 |" in shown
    assert "ausdorff" not in shown


def test_the_files_contain_every_case_slice_metric_and_test(tmp_path: Path) -> None:
    cases = [case(p, length, method=m) for p in "ab" for m, length in (("x", 3), ("y", 0))]
    summary = ScoreSummary.of(cases, resamples=100)
    write_scores(tmp_path / "new", cases, summary)
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(FILES)
    tables = {
        name: list(csv.DictReader(io.StringIO((tmp_path / "new" / name).read_text())))
        for name in FILES
        if name.endswith(".csv")
    }
    rows = tables["per_case.csv"]
    assert [row["method"] + row["patient"] for row in rows] == ["xa", "ya", "xb", "yb"]
    assert {row["hd_mm"] for row in rows if row["method"] == "y"} == {""}
    assert float(rows[0]["dice"]) == pytest.approx(6 / 7, abs=1e-6)
    assert len(tables["per_slice.csv"]) == 4 * 3
    assert tables["per_slice.csv"][1]["slice"] == "1"
    assert len(tables["summary.csv"]) == len(summary.summaries) == 2 * (11 + 6 + 6)
    assert len(tables["tests.csv"]) == len(summary.tests) == 11 + 6 + 6
    content = json.loads((tmp_path / "new" / "summary.json").read_text())
    assert content["bootstrap"] == {"resamples": 100, "seed": 0, "draws": "patients"}
    assert len(content["summaries"]) == len(summary.summaries)
    (missing,) = [
        each["mean"]
        for each in content["summaries"]
        if (each["method"], each["metric"]) == ("y", "hd_mm")
    ]
    assert missing is None


def test_equal_scores_give_equal_files(tmp_path: Path) -> None:
    cases = [case("a", 3), case("b", 4), replace(case("c", 2), volume=None)]
    for name in ("one", "two"):
        write_scores(tmp_path / name, cases, ScoreSummary.of(cases))
    for name in FILES:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_patient_without_a_distance_is_the_worst() -> None:
    cases = [case("near", 4), case("far", 2), case("missed", 0)]
    distance = of(summarise(cases), "hd95_mm")
    assert (distance.worst_patient, distance.undefined, distance.patients) == ("missed", 1, 2)
    assert math.isnan(distance.worst)
    assert "| undefined (missed) | 1 |" in summary_to_markdown(ScoreSummary.of(cases))
    assert of(summarise(cases[:2]), "hd95_mm").worst_patient == "far"


def test_samples_that_a_test_leaves_out_are_counted() -> None:
    cases = [case(p, length, method=m) for p in "ab" for m, length in (("x", 3), ("y", 2))]
    shown = summary_to_markdown(
        ScoreSummary.of([*cases, case("c", 3, method="x"), case("c", 0, method="y")])
    )
    assert "| hd95_mm | x - y | 2 (1 left out) |" in shown
    assert "| dice | x - y | 3 |" in shown
