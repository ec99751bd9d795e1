"""How much there is, from names and headers alone."""

from __future__ import annotations

from collections.abc import Sequence

from rma_mamba.datasets.layouts.case_reader import geometries
from rma_mamba.datasets.layouts.index import DatasetIndex, IndexedCase
from rma_mamba.errors import GridError, ScanError

_HEAD = (
    "| sequence | side | patients | volumes | slices | unlabelled |",
    "|---|---|---|---|---|---|",
)


def summary_table(dataset: DatasetIndex) -> str:
    """Counts by sequence and side, as Markdown; cases whose header cannot be read are counted apart."""
    lines, unreadable = list(_HEAD), 0
    for sequence in dataset.sequences:
        for side in ("train", "valid", "test", None):
            entries = [e for e in dataset.entries if (e.sequence, e.side) == (sequence, side)]
            if entries:
                row, failed = _row(sequence, side, entries)
                lines.append(row)
                unreadable += failed
    if dataset.severity:
        lines += ["", *severity_lines(dataset)]
    if unreadable:
        lines += ["", f"{unreadable} scans cannot be read."]
    return "\n".join(lines)


def severity_lines(dataset: DatasetIndex) -> list[str]:
    """Patients by severity and side, as a Markdown list."""
    lines = []
    for grade in sorted(set(dataset.severity.values())):
        patients = {
            (entry.side or "no side", entry.patient)
            for entry in dataset.entries
            if dataset.severity.get(entry.patient) == grade and entry.cohort == dataset.name
        }
        counts = [
            f"{sum(each == side for each, _ in patients)} {side}"
            for side in ("train", "valid", "test")
        ]
        lines.append(f"- {grade}: {', '.join(counts)}")
    return lines


def _row(sequence: str, side: str | None, entries: Sequence[IndexedCase]) -> tuple[str, int]:
    slices = failed = 0
    for entry in entries:
        try:
            grids = geometries(entry)
        except (ScanError, GridError):
            failed += 1
            continue
        slices += sum(grid.shape[2] for grid in grids) if grids else len(entry.images)
    patients = len({(entry.cohort, entry.patient) for entry in entries})
    volumes = sum(entry.kind == "volume" for entry in entries)
    unlabelled = sum(not entry.labels or None in entry.labels for entry in entries)
    cells = (sequence, side or "-", patients, volumes, slices, unlabelled)
    return f"| {' | '.join(map(str, cells))} |", failed
