"""Tables show the best values in bold, confidence intervals, and missing values."""

import csv
import io

import numpy as np
import pytest

from rma_mamba.evaluation import CaseName, CaseScore, ScoreSummary, score_case
from rma_mamba.experiments.comparison_export import to_csv, to_latex
from rma_mamba.experiments.comparison_markdown import to_markdown
from rma_mamba.experiments.comparison_table import ComparisonRow, ComparisonTable
from rma_mamba.experiments.costs import Costs
from rma_mamba.volume import Geometry


def case(method: str, patient: str, shift: int) -> CaseScore:
    """A block of liver, predicted with a shift of `shift` voxels."""
    reference = np.zeros((20, 20, 6), np.uint8)
    reference[4:14, 4:14, 1:5] = 1
    name = CaseName(method, "MR", "MR", patient, patient)
    found = np.roll(reference, shift, axis=0)
    return score_case(name, reference, found, Geometry(reference.shape, np.diag([2, 2, 5, 1])))


@pytest.fixture(scope="module")
def table() -> ComparisonTable:
    shifts = {"A_1": (0, 1, 2), "B & C": (3, 3, 30)}
    cases = [
        case(method, str(patient), shift)
        for method, each in shifts.items()
        for patient, shift in enumerate(each)
    ]
    costs = {"A_1": Costs(2_000_000, 3.0, 20.4), "B & C": Costs(1_000_000, 4.0, 10.0)}
    rows = [
        ComparisonRow(name, "", ("training.lr=1",) * (name == "A_1"), False, costs[name])
        for name in shifts
    ]
    return ComparisonTable("100 %", "MR", 256, tuple(rows), ScoreSummary.of(cases, resamples=200))


def test_markdown_marks_the_best_and_states_the_number_of_samples(table: ComparisonTable) -> None:
    text = to_markdown(table)
    volume = next(line for line in text.splitlines() if line.startswith("| A_1 | **0.900"))
    assert "**0.900 (0.800 to 1.000)** | **0.800**" in volume
    assert "| 2.00 | **3.00** | 20 |" in volume
    assert "18 slices of 3 patients, 6 of them without liver." in text
    assert "Settings of individual networks: A_1: training.lr=1." in text
    assert "| A_1 | B & C | 3 |" in text


def test_latex_escapes_special_characters(table: ComparisonTable) -> None:
    text = to_latex(table)
    assert r"A\_1 & " in text
    assert r"B \& C & " in text
    assert r"% 100 \%" in text
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert len({line.replace(r"\&", "").count("&") for line in rows}) == 1


def test_csv_contains_values_and_interval_limits(table: ComparisonTable) -> None:
    first, second = csv.DictReader(io.StringIO(to_csv(table)))
    assert float(first["Dice"]) == pytest.approx(0.9)
    assert float(first["Dice, low"]) == pytest.approx(0.8)
    assert float(second["GMACs"]) == 4.0


def test_a_column_without_values_shows_a_dash(table: ComparisonTable) -> None:
    other = ComparisonTable(table.title, "CT", 256, table.rows, table.scores)
    assert "| A_1 | - | - |" in to_markdown(other)
