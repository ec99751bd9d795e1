"""Audit of a whole dataset: every case is read, and all cases are compared with each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rma_mamba.datasets.audit.case_audit import CaseFacts, audit_case
from rma_mamba.datasets.audit.duplicates import duplicate_images, duplicate_labels
from rma_mamba.datasets.audit.findings import Finding
from rma_mamba.datasets.audit.label_shift import shifted_labels
from rma_mamba.datasets.audit.leakage import leakage
from rma_mamba.datasets.layouts.index import DatasetIndex


@dataclass(frozen=True)
class AuditResult:
    """Result of the audit of a dataset.

    Args:
        dataset: The dataset.
        cases: Facts about all cases that could be read.
        findings: Errors, then warnings.
    """

    dataset: DatasetIndex
    cases: tuple[CaseFacts, ...]
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> list[Finding]:
        """Findings that would invalidate results."""
        return [finding for finding in self.findings if finding.level == "error"]

    @property
    def cases_with_errors(self) -> set[str]:
        """Names of the cases with errors."""
        return {case for finding in self.errors for case in finding.cases}


def audit(
    dataset: DatasetIndex, progress: Callable[[int, int], None] = lambda *_: None
) -> AuditResult:
    """Read every case of a dataset and search for errors.

    Args:
        dataset: As returned by `open_dataset`.
        progress: Called with the number of finished cases and the number of all cases.
    """
    cases, findings = [], _listing_findings(dataset)
    for number, case in enumerate(dataset.cases):
        progress(number, len(dataset.cases))
        facts, found = audit_case(case)
        cases += [facts] if facts is not None else []
        findings += found
    progress(len(dataset.cases), len(dataset.cases))
    findings += leakage(dataset.cases)
    findings += duplicate_images(cases)
    findings += list(duplicate_labels(cases, findings))
    for sequence in dataset.sequences:
        findings += shifted_labels([facts for facts in cases if facts.case.sequence == sequence])
    findings.sort(key=lambda finding: finding.level != "error")
    return AuditResult(dataset, tuple(cases), tuple(findings))


def _listing_findings(dataset: DatasetIndex) -> list[Finding]:
    """What was found while the files were listed."""
    return [
        *(Finding(fault.kind, "error", fault.text, fault.cases) for fault in dataset.faults),
        *(Finding("files", "warning", text) for text in dataset.irregularities),
    ]
