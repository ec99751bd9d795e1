"""Counts of a dataset from file names and headers alone."""

from __future__ import annotations

from collections.abc import Sequence

from rma_mamba.datasets.layouts.case_reader import read_geometries
from rma_mamba.datasets.layouts.index import DatasetIndex, IndexedCase
from rma_mamba.datasets.splits import SPLITS, Split
from rma_mamba.errors import GridError, ScanError

_HEAD = (
    "| sequence | split | patients | volumes | slices | unlabelled |",
    "|---|---|---|---|---|---|",
)


def summary_table(dataset: DatasetIndex) -> str:
    """Counts by sequence and split as Markdown; cases with unreadable headers are counted separately."""
    lines, unreadable = list(_HEAD), 0
    for sequence in dataset.sequences:
        for split in (*SPLITS, None):
            cases = [c for c in dataset.cases if (c.sequence, c.split) == (sequence, split)]
            if cases:
                row, failed = _row(sequence, split, cases)
                lines.append(row)
                unreadable += failed
    if dataset.severity:
        lines += ["", *severity_lines(dataset)]
    if unreadable:
        lines += ["", f"Scans that cannot be read: {unreadable}."]
    return "\n".join(lines)


def severity_lines(dataset: DatasetIndex) -> list[str]:
    """Number of patients by severity and split as a Markdown list."""
    lines = []
    for grade in sorted(set(dataset.severity.values())):
        patients = {
            (case.split, case.patient)
            for case in dataset.cases
            if dataset.severity.get(case.patient) == grade and case.dataset == dataset.name
        }
        counts = [f"{sum(each == split for each, _ in patients)} {split}" for split in SPLITS]
        lines.append(f"- {grade}: {', '.join(counts)}")
    return lines


def _row(sequence: str, split: Split | None, cases: Sequence[IndexedCase]) -> tuple[str, int]:
    """A row of the table, and how many headers cannot be read."""
    slices = failed = 0
    for case in cases:
        try:
            grids = read_geometries(case)
        except (ScanError, GridError):
            failed += 1
            continue
        slices += sum(grid.shape[2] for grid in grids) if grids else len(case.images)
    patients = len({(case.dataset, case.patient) for case in cases})
    volumes = sum(case.kind == "volume" for case in cases)
    unlabelled = sum(not case.labels or None in case.labels for case in cases)
    cells = (sequence, split or "-", patients, volumes, slices, unlabelled)
    return f"| {' | '.join(map(str, cells))} |", failed
