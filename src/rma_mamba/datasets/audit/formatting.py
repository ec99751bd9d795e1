"""The result of an audit as Markdown and as JSON."""

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
from rma_mamba.deprecation import with_old_fields

_SHOWN_CASES = 20  # per sentence; JSON lists all cases
_SHOWN_VALUES = 12
_COUNTS = (
    "| sequence | split | patients | volumes | slices | with liver | without liver |",
    "|---|---|---|---|---|---|---|",
)
_GRIDS = (
    "| sequence | pixel, mm | slice spacing, mm | columns x rows | slices per volume | orientation | label values |",
    "|---|---|---|---|---|---|---|",
)


def to_markdown(result: AuditResult) -> str:
    """Counts, grids and all findings."""
    lines = [f"# Dataset {result.dataset.name}", "", *_COUNTS, *_count_rows(result.cases)]
    lines += ["", *_GRIDS, *_grid_rows(result.cases)]
    if result.dataset.severity:
        lines += ["", "Patients by severity:", "", *severity_lines(result.dataset)]
    for level, title in (("error", "Errors"), ("warning", "Warnings")):
        found = [finding for finding in result.findings if finding.level == level]
        lines += ["", f"## {title}: {len(found)}", "", *_finding_lines(found)]
    lines += ["", "## Notes", "", *(f"- {note}" for note in result.dataset.notes)]
    return "\n".join(lines)


def to_json(result: AuditResult) -> str:
    """All findings, and the facts about every case."""
    content: dict[str, Any] = {
        "dataset": result.dataset.name,
        "notes": result.dataset.notes,
        "findings": [vars(finding) for finding in result.findings],
        "cases": [
            with_old_fields(_record(facts, result.dataset), {"dataset": "cohort", "split": "side"})
            for facts in result.cases
        ],
    }
    return json.dumps(content, indent=2) + "\n"


def _finding_lines(findings: Sequence[Finding]) -> Iterator[str]:
    """One line per sentence, with the cases that it applies to."""
    groups: dict[tuple[str, str], list[str]] = {}
    for finding in findings:
        names = ", ".join(finding.cases)
        groups.setdefault((finding.kind, finding.text), []).extend([names] if names else [])
    for (kind, text), cases in groups.items():
        more = f" and {len(cases) - _SHOWN_CASES} more" if len(cases) > _SHOWN_CASES else ""
        where = f" {'; '.join(cases[:_SHOWN_CASES])}{more}:" if cases else ""
        yield f"- **{kind}**{where} {text}"


def _record(facts: CaseFacts, dataset: DatasetIndex) -> dict[str, Any]:
    case = facts.case
    graded = case.dataset == dataset.name  # not healthy subjects, who have patient IDs of their own
    offsets = [None if each is None else round(each.both, 3) for each in facts.offsets]
    return {
        "name": case.name,
        "patient": case.patient,
        "dataset": case.dataset,
        "sequence": case.sequence,
        "split": case.split,
        "kind": case.kind,
        "severity": dataset.severity.get(case.patient) if graded else None,
        "shape": facts.shape,
        "spacing_mm": facts.spacing_mm,
        "orientation": facts.orientation,
        "slices": facts.slices,
        "slices_with_liver": facts.slices_with_liver,
        "label_values": facts.label_values,
        "liver_ml": None if facts.liver_ml is None else round(facts.liver_ml, 3),
        "border_offsets": offsets,
    }


def _count_rows(cases: Sequence[CaseFacts]) -> list[str]:
    groups: dict[tuple[str, str], list[CaseFacts]] = {}
    for facts in cases:
        groups.setdefault((facts.case.sequence, facts.case.split or "-"), []).append(facts)
    rows = []
    for (sequence, split), found in groups.items():
        patients = len({(facts.case.dataset, facts.case.patient) for facts in found})
        volumes = sum(facts.case.kind == "volume" for facts in found)
        slices = sum(facts.slices for facts in found)
        liver = sum(facts.slices_with_liver for facts in found)
        cells = (sequence, split, patients, volumes, slices, liver, slices - liver)
        rows.append(f"| {' | '.join(map(str, cells))} |")
    return rows


def _grid_rows(cases: Sequence[CaseFacts]) -> list[str]:
    rows = []
    for sequence in dict.fromkeys(facts.case.sequence for facts in cases):
        found = [facts for facts in cases if facts.case.sequence == sequence]
        spacings = [facts.spacing_mm for facts in found if facts.spacing_mm is not None]
        values = {value for facts in found for value in facts.label_values}
        cells = (
            sequence,
            _range(size for spacing in spacings for size in spacing[:2]),
            _range(spacing[2] for spacing in spacings),
            _sizes(found),
            _range(facts.slices for facts in found),
            _count_names(facts.orientation for facts in found if facts.orientation),
            _values(values),
        )
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def _sizes(cases: Sequence[CaseFacts]) -> str:
    smallest, largest = (pick(facts.shape[:2] for facts in cases) for pick in (min, max))
    shown = [" x ".join(map(str, size)) for size in (smallest, largest)]
    return shown[0] if smallest == largest else " to ".join(shown)


def _range(numbers: Iterable[float]) -> str:
    found = list(numbers)
    if not found:
        return "-"
    low, high = f"{min(found):.4g}", f"{max(found):.4g}"
    return low if low == high else f"{low} to {high}"


def _count_names(names: Iterable[str]) -> str:
    counts = Counter(names).most_common()
    return ", ".join(f"{name} ({count})" for name, count in counts) or "-"


def _values(values: set[float]) -> str:
    shown = ", ".join(f"{value:g}" for value in sorted(values)[:_SHOWN_VALUES])
    return shown + (", ..." if len(values) > _SHOWN_VALUES else "")
