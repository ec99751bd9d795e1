"""Audit of a whole dataset: every case is read, and all cases are compared with each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from rma_mamba.datasets.audit.case_audit import CaseFacts, Judge, audit_case
from rma_mamba.datasets.audit.copies import copied_images
from rma_mamba.datasets.audit.duplicates import duplicate_images, duplicate_labels
from rma_mamba.datasets.audit.findings import Finding
from rma_mamba.datasets.audit.flipped_headers import flipped_headers
from rma_mamba.datasets.audit.incomplete_labels import incomplete_labels
from rma_mamba.datasets.audit.label_fit import misplaced_labels
from rma_mamba.datasets.audit.label_shift import shifted_labels
from rma_mamba.datasets.audit.leakage import leakage
from rma_mamba.datasets.audit.plausibility import lossy_masks
from rma_mamba.datasets.layouts.index import DatasetIndex
from rma_mamba.datasets.processes import mapped


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
    dataset: DatasetIndex,
    progress: Callable[[int, int], None] = lambda *_: None,
    *,
    judge: Judge | None = None,
    jobs: int = 1,
    quick: bool = False,
) -> AuditResult:
    """Read every case of a dataset and search for errors.

    Args:
        dataset: As returned by `open_dataset`.
        progress: Called with the number of finished cases and the number of all cases.
        judge: A network that labels are compared with, such as `evaluation.network_judge`; None: labels are compared
            with the edges of the images alone. With several jobs it must be a function of a module.
        jobs: Number of processes that read cases.
        quick: Leave out the search for small shifts of labels.
    """
    cases, findings = [], _listing_findings(dataset)
    read = partial(audit_case, judge=judge, quick=quick)
    for number, (facts, found) in enumerate(mapped(read, dataset.cases, jobs)):
        progress(number, len(dataset.cases))
        cases += [facts] if facts is not None else []
        findings += found
    progress(len(dataset.cases), len(dataset.cases))
    findings += lossy_masks(dataset.cases)
    findings += leakage(dataset.cases)
    findings += duplicate_images(cases)
    findings += list(duplicate_labels(cases, findings))
    findings += list(copied_images(cases, findings))
    for sequence in dataset.sequences:
        members = [facts for facts in cases if facts.case.sequence == sequence]
        findings += _sequence_findings(members, findings)
    findings.sort(key=lambda finding: finding.level != "error")
    return AuditResult(dataset, tuple(cases), tuple(findings))


def _sequence_findings(cases: list[CaseFacts], before: list[Finding]) -> list[Finding]:
    """Findings from comparing the cases of one sequence with each other.

    Each case has one reason: a label that two cases share, or else a misplaced one, is not reported as incomplete or
    shifted as well; but an incomplete label explains why the network disagrees with it.
    """
    shared = {case for each in before if each.kind == "duplicate label" for case in each.cases}
    misplaced = [each for each in misplaced_labels(cases) if not shared.issuperset(each.cases)]
    certain = shared | {case for each in misplaced if each.level == "error" for case in each.cases}
    incomplete = [each for each in incomplete_labels(cases) if not certain.issuperset(each.cases)]
    explained = {each.cases for each in incomplete}
    found = [*incomplete, *(each for each in misplaced if each.cases not in explained)]
    known = {each.cases for each in found}
    shifted = [each for each in shifted_labels(cases) if each.cases not in known]
    return [*found, *shifted, *flipped_headers(cases)]


def _listing_findings(dataset: DatasetIndex) -> list[Finding]:
    """What was found while the files were listed."""
    return [
        *(Finding(fault.kind, "error", fault.text, fault.cases) for fault in dataset.faults),
        *(Finding("files", "warning", text) for text in dataset.irregularities),
    ]
