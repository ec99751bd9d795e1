"""Duplicates: the same image, or the same label, in two cases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from rma_mamba.datasets.audit.case_audit import CaseFacts
from rma_mamba.datasets.audit.findings import Finding, Kind, Level
from rma_mamba.datasets.layouts.index import IndexedCase

_SHARED = (
    0.5  # fraction of the slices of the shorter case from which on two cases are the same scan
)


def duplicate_images(cases: Sequence[CaseFacts]) -> Iterator[Finding]:
    """Pairs of cases that share at least half of the slices of the shorter one."""
    first_case: dict[str, int] = {}
    shared: Counter[tuple[int, int]] = Counter()
    for number, case in enumerate(cases):
        for digest in set(case.slice_digests):
            first = first_case.setdefault(digest, number)
            if first != number:
                shared[first, number] += 1
    for (a, b), count in shared.items():
        shorter = min(len(set(cases[number].slice_digests)) for number in (a, b))
        if count >= _SHARED * shorter:
            text = f"duplicates: {count} slices are identical voxel by voxel"
            yield pair_finding("duplicate image", text, cases[a].case, cases[b].case)


def duplicate_labels(
    cases: Iterable[CaseFacts], known: Iterable[Finding] = ()
) -> Iterator[Finding]:
    """Pairs of cases with identical liver labels that come from different files.

    Args:
        cases: All cases.
        known: Pairs that are already reported as duplicate images are not reported again.
    """
    pairs = {finding.cases for finding in known if finding.kind == "duplicate image"}
    first_case: dict[str, IndexedCase] = {}
    for facts in cases:
        if facts.label_digest is None:
            continue
        case = facts.case
        first = first_case.setdefault(facts.label_digest, case)
        # slices that were exported from a volume of the same patient
        export = first.same_patient(case) and first.kind != case.kind
        if first.labels != case.labels and not export and (first.name, case.name) not in pairs:
            text = "duplicates: the liver labels are identical voxel by voxel"
            yield pair_finding("duplicate label", text, first, case)


def pair_finding(kind: Kind, text: str, a: IndexedCase, b: IndexedCase) -> Finding:
    """An error if the cases are of two patients, a warning if they are of one."""
    level: Level = "warning" if a.same_patient(b) else "error"
    whose = (
        "both cases are of the same patient"
        if level == "warning"
        else f"the cases are of patients {a.patient} and {b.patient}; expected different data"
    )
    return Finding(kind, level, f"{text}; {whose}.", (a.name, b.name))
