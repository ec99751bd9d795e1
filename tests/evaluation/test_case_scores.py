"""Scores of one case under both protocols, for any axis order of the file."""

from dataclasses import asdict

import numpy as np
import pytest

from orders import ORDERS, reordered
from rma_mamba.evaluation import CaseName, CaseScore, score_case
from rma_mamba.metrics import paper_per_slice, score_volume, to_paper_size
from rma_mamba.volume import Geometry, Volume

NAME = CaseName("ours", "source", "group", "patient", "case")
AFFINE = np.diag([-2.0, -2.0, 5.0, 1.0])  # axes to the left, posterior and superior


def volume(start: int = 5) -> Volume:
    labels = np.zeros((20, 32, 6), np.uint8)
    labels[start : start + 8, 6:18, 1:5] = 1
    return Volume(labels, Geometry(labels.shape, AFFINE))


def score(true: Volume, found: Volume) -> CaseScore:
    return score_case(NAME, true.values, found.values, true.geometry)


def test_both_protocols_agree_with_the_metrics() -> None:
    true, found = volume(), volume(6)
    case = score(true, found)
    assert case.volume is not None
    expected = score_volume(true.values, found.values, (2.0, 2.0, 5.0))
    assert asdict(case.volume) == pytest.approx(asdict(expected))
    assert [each.number for each in case.slices] == list(range(6))
    assert [each.has_liver for each in case.slices] == [False, True, True, True, True, False]
    upright = [to_paper_size(each.values[:, :, 2].T) for each in (true, found)]
    assert case.slices[2].values == paper_per_slice(*upright)
    assert case.slices[2].values["row_distance_paper"] > 0  # a shift along a row changes it


def test_a_shift_by_one_row_has_one_spacing_in_mm_and_zero_row_distance() -> None:
    true = volume()
    found = Volume(np.roll(true.values, 1, axis=1), true.geometry)
    case = score(true, found)
    assert case.volume is not None
    assert case.volume.hd_mm == 2
    assert {each.values["row_distance_paper"] for each in case.slices} == {0}


@pytest.mark.parametrize("order", ORDERS[::5])
def test_scores_do_not_depend_on_the_axis_order(order) -> None:
    true, found = volume(), volume(7)
    expected, got = score(true, found), score(reordered(true, order), reordered(found, order))
    assert asdict(got.volume) == pytest.approx(asdict(expected.volume))  # type: ignore[arg-type]
    assert got.slices == expected.slices


def test_a_single_slice_has_no_volume_score() -> None:
    one = volume().values[:, :, 2:3]
    case = score_case(NAME, one, one, Geometry(one.shape, AFFINE), single_slice=True)
    assert case.volume is None
    assert len(case.slices) == 1


def test_the_paper_s_protocol_scores_the_squares_and_not_the_mask() -> None:
    true = volume()
    squares = np.zeros((6, 256, 256), bool)
    squares[2, :100, :100] = True
    case = score_case(
        NAME, true.values, true.values, true.geometry, squares=squares, postprocessing="standard"
    )
    assert case.volume is not None
    assert case.volume.dice == 1
    expected = paper_per_slice(to_paper_size(true.values[:, :, 2].T), squares[2])
    assert case.slices[2].values == expected
    assert [each.empty for each in case.slices[1:3]] == ["prediction", "neither"]
    assert (case.postprocessing, case.slice_postprocessing) == ("standard", "none")
    given = score(true, true)
    assert (given.postprocessing, given.slice_postprocessing) == ("as given", "as given")
