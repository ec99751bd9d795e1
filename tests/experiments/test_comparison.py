"""Tables show the best values in bold, confidence intervals, and missing values."""

import csv
import io
from dataclasses import replace

import numpy as np
import pytest

from rma_mamba.evaluation import CaseName, CaseScore, ScoreSummary, score_case
from rma_mamba.evaluation.class_scores import score_classes
from rma_mamba.evaluation.class_tables import lesions_to_markdown
from rma_mamba.experiments.comparison_export import to_csv, to_latex
from rma_mamba.experiments.comparison_markdown import to_markdown
from rma_mamba.experiments.comparison_table import ComparisonRow, ComparisonTable, Conditions
from rma_mamba.experiments.costs import Costs
from rma_mamba.volume import Geometry


def case(method: str, patient: str, shift: int | None) -> CaseScore:
    """A block of liver, predicted with a shift of `shift` voxels; None: missed."""
    reference = np.zeros((20, 20, 6), np.uint8)
    reference[4:14, 4:14, 1:5] = 1
    name = CaseName(method, "MR", "MR", patient, patient)
    found = np.zeros_like(reference) if shift is None else np.roll(reference, shift, axis=0)
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


def missing_table(*conditions: Conditions, notes: tuple[str, ...] = ()) -> ComparisonTable:
    """A network that misses one of three patients, and has small distances elsewhere, beside a complete one."""
    shifts = {"misses one": (0, 0, None), "complete": (1, 2, 2)}
    cases = [
        case(method, str(patient), shift)
        for method, each in shifts.items()
        for patient, shift in enumerate(each)
    ]
    rows = [
        ComparisonRow(name, "", (), False, Costs(1_000_000, 3.0, 20.4), condition)
        for name, condition in zip(shifts, conditions or (None, None), strict=True)
    ]
    scores = ScoreSummary.of(cases, resamples=200)
    return ComparisonTable("trial", "MR", 256, tuple(rows), scores, notes)


def test_distances_of_a_network_that_misses_a_patient_are_not_bold() -> None:
    lines = [line for line in to_markdown(missing_table()).splitlines() if line.startswith("| ")]
    heading = next(line for line in lines if "HD95" in line).split("|")
    first, second = (line.split("|") for line in lines[lines.index("|".join(heading)) + 1 :][:2])
    places = {name.strip(): place for place, name in enumerate(heading)}
    for name in ("HD95, mm", "ASSD, mm", "surface Dice, 2 mm"):
        assert "**" not in first[places[name]]
        assert "**" in second[places[name]]
    assert first[places["without distances"]].strip() == "1"
    assert second[places["without distances"]].strip() == "0"
    latex = next(line for line in to_latex(missing_table()).splitlines() if "misses" in line)
    assert (
        latex.count("textbf")
        == sum(cell.count("**") // 2 for cell in first)
        + next(line for line in lines if line.startswith("| misses one")).count("**") // 2
    )


def test_conditions_of_training_stand_below_every_table() -> None:
    same = Conditions((42,), 500, (63,))
    for conditions, expected in (
        ((same, same), "at most 500 epochs; ended after 63 epochs; seed 42; 1 run per network."),
        (
            (same, Conditions((7, 8, 9), 500, (80, None, 75))),
            "ended after 63 epochs (misses one), 75 to 80 epochs (complete); seed 42 (misses one), seeds 7, 8, 9 "
            "(complete); 1 run (misses one), 3 runs (complete) per network.",
        ),
    ):
        shown = missing_table(*conditions, notes=("Settings for all networks: training.lr=1.",))
        assert to_markdown(shown).count(expected) == 2
        assert to_markdown(shown).count("Settings for all networks: training.lr=1.") == 2
        assert expected in to_latex(shown)
        for row in csv.DictReader(io.StringIO(to_csv(shown))):
            assert (row["seed"], row["runs"]) in (("42", "1"), ("", "3"))
            assert expected in row["notes"]


def test_one_epoch_is_in_the_singular() -> None:
    one = Conditions((42,), 1, (1,))
    text = to_markdown(missing_table(one, one))
    assert text.count("at most 1 epoch; ended after 1 epoch; seed 42; 1 run per network.") == 2


def test_a_network_that_was_not_trained_is_in_no_comparison() -> None:
    trained = several_runs()
    failed = ComparisonRow(
        "fails", "2020", (), False, Costs(500_000, 1.0, 2.0), None, ("the loss became nan",)
    )
    table = replace(trained, rows=(*trained.rows, failed))
    text = to_markdown(table)
    note = "fails was not trained, is in no comparison and ranks last: the loss became nan."
    assert text.count(note) == 2
    assert note in to_latex(table)
    assert text.count("| fails (2020), not trained | - |") == 2
    assert "| 0.50 | 1.00 | 2 |" in text  # the least, but not bold
    row = list(csv.DictReader(io.StringIO(to_csv(table))))[-1]
    assert (row["Dice"], row["epochs"]) == ("", "")
    assert note in row["notes"]


def test_a_network_with_a_failed_run_ranks_last() -> None:
    table = several_runs()
    first, second = table.rows
    partly = replace(first, failures=("seed 44: the loss became nan",))
    text = to_markdown(replace(table, rows=(partly, second)))
    assert "| varies | 0.900 ± 0.141 (0.800 to 1.000) |" in text
    note = "1 of 3 runs of varies were not trained (seed 44: the loss became nan): its values are those of the others"
    assert text.count(note) == 2


def test_single_slices_have_no_columns_of_volumes(table: ComparisonTable) -> None:
    reference = np.zeros((20, 20, 1), np.uint8)
    reference[4:14, 4:14] = 1
    geometry = Geometry(reference.shape, np.diag([2, 2, 5, 1]))
    cases = [
        score_case(
            CaseName(row.name, "2D", "2D", patient, patient),
            reference,
            np.roll(reference, int(patient), axis=0),
            geometry,
            single_slice=True,
        )
        for row in table.rows
        for patient in "1234"
    ]
    text = to_markdown(ComparisonTable("2-D", "2D", 256, table.rows, ScoreSummary.of(cases)))
    assert "### Computational costs (2D)" in text
    assert "HD95" not in text
    assert "mean over the slices with liver" in text


def several_runs(runs: int = 2) -> ComparisonTable:
    """A network whose runs shift the liver by 0 and 2 voxels, beside one with equal runs."""
    cases = [
        replace(case(method, str(patient), shift), run=run)
        for method, shifts in (("varies", (0, 2)), ("steady", (1, 1)))
        for run, shift in enumerate(shifts[:runs], start=42)
        for patient in range(3)
    ]
    condition = Conditions(tuple(range(42, 42 + runs)), 10, (9, 10)[:runs])
    rows = [
        ComparisonRow(name, "", (), False, Costs(1_000_000, 3.0, 20.4), condition)
        for name in ("varies", "steady")
    ]
    return ComparisonTable("t", "MR", 256, tuple(rows), ScoreSummary.of(cases, resamples=200))


def test_several_runs_have_a_mean_a_deviation_and_a_table_of_their_own() -> None:
    text = to_markdown(several_runs())
    assert "| varies | **0.900 ± 0.141 (0.800 to 1.000)** |" in text
    assert "| steady | **0.900 ± 0.000 (0.900 to 0.900)** |" in text
    assert "18 slices of 3 patients, 6 of them without liver." in text
    assert text.count("seeds 42, 43; 2 runs per network.") == 2
    assert text.count("resampling patients and runs.") == 2
    assert "| varies | 42 | 9 | 1.000 |\n| varies | 43 | 10 | 0.800 |" in text
    assert "### Paired tests of the Dice per patient, mean over runs" in text
    assert "| varies | steady | 3 | -0.000 | -0.100 to +0.100 |" in text.replace("+0.000", "-0.000")
    assert r"0.900 $\pm$ 0.141" in to_latex(several_runs())
    first, _ = csv.DictReader(io.StringIO(to_csv(several_runs())))
    assert float(first["Dice, SD"]) == pytest.approx(0.141421, abs=1e-6)
    assert (first["runs"], first["seed"], first["epochs"]) == ("2", "", "9.5")


def test_one_run_has_no_deviation() -> None:
    text = to_markdown(several_runs(1))
    assert "±" not in text
    assert "### Runs" not in text
    assert "seed 42; 1 run per network." in text
    assert ", SD" not in to_csv(several_runs(1))


def with_classes(score: CaseScore, found: int) -> CaseScore:
    """The case with a tumour of 4 voxels in patients 0 and 1, of which `found` were found."""
    true, other = np.zeros((2, 20, 20, 6), bool)
    true[5:9, 5, 2] = score.patient in "01"
    other[5 : 5 + found, 5, 2] = score.patient in "01"
    classes = score_classes({"tumour": true}, {"tumour": other}, Geometry(true.shape, np.eye(4)))
    return replace(score, classes=classes)


def test_classes_have_a_table_of_their_own() -> None:
    cases = [
        with_classes(case(method, str(patient), 0), found)
        for method, found in (("half", 2), ("misses", 0))
        for patient in range(3)
    ]
    rows = [
        ComparisonRow(name, "", (), False, Costs(1_000_000, 3.0, 20.4))
        for name in ("half", "misses")
    ]
    scores = ScoreSummary.of(cases, resamples=200)
    table = ComparisonTable("t", "MR", 256, tuple(rows), scores, lesions=lesions_to_markdown(cases))
    text = to_markdown(table)
    assert "### Per class, on the scan's own grid (MR)" in text
    assert "3 cases of 3 patients; with each class: 2 tumour." in text
    heading = ("tumour: Dice", "tumour: Dice, all scans", "tumour: HD95, mm")
    assert f"| network | {' | '.join(heading)} | tumour: without distances |" in text
    assert "| half | **0.667 (0.667 to 0.667)** | 0.778 (0.667 to 1.000) |" in text
    # finding nothing is right in one of three scans, and is not rewarded for it
    assert "| misses | 0.000 (0.000 to 0.000) | 0.333 (0.000 to 1.000) | 0.0 | 2 |" in text
    assert "| half | MR | tumour | 3 | 2 | 1.000 | 1.000 | 0.00 |" in text
    assert "### Paired tests of the tumour Dice per patient" in text
    assert float(next(csv.DictReader(io.StringIO(to_csv(table))))["tumour: Dice"]) < 0.67
    assert "tumour: Dice" in to_latex(table)
