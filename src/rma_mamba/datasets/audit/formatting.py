"""A report on a dataset as Markdown for people and as JSON for programs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rma_mamba.datasets.audit.case_audit import CaseFacts
from rma_mamba.datasets.audit.dataset_audit import AuditResult
from rma_mamba.datasets.audit.dataset_summary import severity_lines
from rma_mamba.datasets.audit.findings import Finding
from rma_mamba.datasets.layouts.index import DatasetIndex

_SHOWN_CASES = 20  # of one sentence; JSON names them all
_COUNTS = (
    "| sequence | side | patients | volumes | slices | with liver | without liver |",
    "|---|---|---|---|---|---|---|",
)
_GRIDS = (
    "| sequence | in plane, mm | slices, mm | columns x rows | slices a volume | stored as | label values |",
    "|---|---|---|---|---|---|---|",
)


def to_markdown(report: AuditResult) -> str:
    """Counts, grids, and all that was found."""
    lines = [f"# Dataset {report.dataset.name}", "", *_COUNTS, *_count_rows(report.cases)]
    lines += ["", *_GRIDS, *_grid_rows(report.cases)]
    if report.dataset.severity:
        lines += ["", "Patients by severity:", "", *severity_lines(report.dataset)]
    for level, title in (("error", "Errors"), ("warning", "Warnings")):
        found = [finding for finding in report.findings if finding.level == level]
        lines += ["", f"## {title}: {len(found)}", "", *_lines(found)]
    lines += ["", "## Notes", "", *(f"- {note}" for note in report.dataset.notes)]
    return "\n".join(lines)


def to_json(report: AuditResult) -> str:
    """The same, case by case."""
    content: dict[str, Any] = {
        "dataset": report.dataset.name,
        "notes": report.dataset.notes,
        "findings": [vars(finding) for finding in report.findings],
        "cases": [_case(case, report.dataset) for case in report.cases],
    }
    return json.dumps(content, indent=2) + "\n"


def _lines(findings: Sequence[Finding]) -> Iterator[str]:
    """One line for each sentence, with the cases that it was said of."""
    groups: dict[tuple[str, str], list[str]] = {}
    for finding in findings:
        names = ", ".join(finding.cases)
        groups.setdefault((finding.kind, finding.text), []).extend([names] if names else [])
    for (kind, text), cases in groups.items():
        more = f" and {len(cases) - _SHOWN_CASES} more" if len(cases) > _SHOWN_CASES else ""
        where = f" {'; '.join(cases[:_SHOWN_CASES])}{more}:" if cases else ""
        yield f"- **{kind}**{where} {text}"


def _case(case: CaseFacts, dataset: DatasetIndex) -> dict[str, Any]:
    entry = case.entry
    graded = entry.cohort == dataset.name  # not the healthy subjects, whose numbers are their own
    return {
        "name": entry.name,
        "patient": entry.patient,
        "cohort": entry.cohort,
        "sequence": entry.sequence,
        "side": entry.side,
        "kind": entry.kind,
        "severity": dataset.severity.get(entry.patient) if graded else None,
        "shape": case.shape,
        "spacing_mm": case.spacing_mm,
        "orientation": case.orientation,
        "slices": case.slices,
        "slices_with_liver": case.with_liver,
        "label_values": case.label_values,
        "liver_ml": None if case.liver_ml is None else round(case.liver_ml, 3),
        "border_offsets": [None if each is None else round(each.both, 3) for each in case.offsets],
    }


def _count_rows(cases: Sequence[CaseFacts]) -> list[str]:
    groups: dict[tuple[str, str], list[CaseFacts]] = {}
    for case in cases:
        groups.setdefault((case.entry.sequence, case.entry.side or "-"), []).append(case)
    rows = []
    for (sequence, side), found in groups.items():
        patients = len({(case.entry.cohort, case.entry.patient) for case in found})
        volumes = sum(case.entry.kind == "volume" for case in found)
        slices = sum(case.slices for case in found)
        liver = sum(case.with_liver for case in found)
        cells = (sequence, side, patients, volumes, slices, liver, slices - liver)
        rows.append(f"| {' | '.join(map(str, cells))} |")
    return rows


def _grid_rows(cases: Sequence[CaseFacts]) -> list[str]:
    rows = []
    for sequence in dict.fromkeys(case.entry.sequence for case in cases):
        found = [case for case in cases if case.entry.sequence == sequence]
        spacings = [case.spacing_mm for case in found if case.spacing_mm is not None]
        values = {value for case in found for value in case.label_values}
        cells = (
            sequence,
            _range(size for spacing in spacings for size in spacing[:2]),
            _range(spacing[2] for spacing in spacings),
            _sizes(found),
            _range(case.slices for case in found),
            _counted(case.orientation for case in found if case.orientation),
            _values(values),
        )
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def _sizes(cases: Sequence[CaseFacts]) -> str:
    smallest, largest = (pick(case.shape[:2] for case in cases) for pick in (min, max))
    shown = [" x ".join(map(str, size)) for size in (smallest, largest)]
    return shown[0] if smallest == largest else " to ".join(shown)


def _range(numbers: Iterable[float]) -> str:
    found = list(numbers)
    if not found:
        return "-"
    low, high = f"{min(found):.4g}", f"{max(found):.4g}"
    return low if low == high else f"{low} to {high}"


def _counted(names: Iterable[str]) -> str:
    counts = Counter(names).most_common()
    return ", ".join(f"{name} ({count})" for name, count in counts) or "-"


def _values(values: set[float]) -> str:
    ordered = sorted(values)
    shown = ", ".join(f"{value:g}" for value in ordered[:12])
    return shown + (", ..." if len(ordered) > 12 else "")
