"""Data leakage: patients in more than one split."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rma_mamba.datasets.audit.findings import Finding
from rma_mamba.datasets.layouts.index import IndexedCase


def leakage(cases: Iterable[IndexedCase]) -> Iterator[Finding]:
    """One error for each patient in more than one split, over all sequences."""
    patients: dict[tuple[str, str], list[IndexedCase]] = {}
    for case in cases:
        patients.setdefault((case.dataset, case.patient), []).append(case)
    for (_, patient), scans in patients.items():
        splits = sorted({case.split or "train (by folds)" for case in scans})
        if len(splits) > 1:
            count = "two" if len(splits) == 2 else str(len(splits))
            text = f"data leakage: patient {patient} is in {count} splits ({', '.join(splits)}); expected one."
            yield Finding("leakage", "error", text, tuple(case.name for case in scans))
