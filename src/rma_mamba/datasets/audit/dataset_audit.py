"""All cases of a dataset read and compared with each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from rma_mamba.datasets.audit.case_audit import CaseFacts, study
from rma_mamba.datasets.audit.edge_alignment import common_offset, moved_cases
from rma_mamba.datasets.audit.findings import Finding, Level
from rma_mamba.datasets.layouts.index import DatasetIndex, IndexedCase

_TOWARDS = (("right", "left"), ("front", "back"), ("foot", "head"))
_SHARED = 0.5  # of the slices of the shorter of two cases that are one scan
_COMMON_OFFSET = 0.6  # voxels; what lies beside a liver moves the median by less


@dataclass(frozen=True)
class AuditResult:
    """What a dataset holds.

    Args:
        dataset: Which.
        cases: All that could be read.
        findings: Errors first.
    """

    dataset: DatasetIndex
    cases: tuple[CaseFacts, ...]
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> list[Finding]:
        """What would spoil a result."""
        return [finding for finding in self.findings if finding.level == "error"]

    @property
    def bad_cases(self) -> set[str]:
        """Names of the cases with an error."""
        return {case for finding in self.errors for case in finding.cases}


def audit(
    dataset: DatasetIndex, progress: Callable[[int, int], None] = lambda *_: None
) -> AuditResult:
    """Read every case, and look for what would spoil a result.

    Args:
        dataset: As `open_dataset` gives it.
        progress: Called with the number of cases done and of all.
    """
    cases, findings = [], [Finding("listing", "warning", text) for text in dataset.doubts]
    for number, entry in enumerate(dataset.entries):
        progress(number, len(dataset.entries))
        facts, found = study(entry)
        cases += [facts] if facts is not None else []
        findings += found
    progress(len(dataset.entries), len(dataset.entries))
    findings += two_sides(dataset.entries)
    findings += same_images(cases)
    findings += same_labels(cases, findings)
    for sequence in dataset.sequences:
        findings += moved_labels([case for case in cases if case.entry.sequence == sequence])
    findings.sort(key=lambda finding: finding.level != "error")
    return AuditResult(dataset, tuple(cases), tuple(findings))


def two_sides(entries: Sequence[IndexedCase]) -> list[Finding]:
    """Patients of one cohort on more than one side of the split, in whatever sequence."""
    patients: dict[tuple[str, str], list[IndexedCase]] = {}
    for entry in entries:
        patients.setdefault((entry.cohort, entry.patient), []).append(entry)
    findings = []
    for (_, patient), scans in patients.items():
        sides = sorted({entry.side or "train (by folds)" for entry in scans})
        if len(sides) > 1:
            text = f"patient {patient} is on the sides {', '.join(sides)}; expected one."
            names = tuple(entry.name for entry in scans)
            findings.append(Finding("two sides", "error", text, names))
    return findings


def same_images(cases: Sequence[CaseFacts]) -> list[Finding]:
    """Cases that share at least half of the slices of the shorter one."""
    owner: dict[str, int] = {}
    shared: Counter[tuple[int, int]] = Counter()
    for number, case in enumerate(cases):
        for digest in set(case.slice_digests):
            first = owner.setdefault(digest, number)
            if first != number:
                shared[first, number] += 1
    findings = []
    for (a, b), count in shared.items():
        shorter = min(len(set(cases[number].slice_digests)) for number in (a, b))
        if count >= _SHARED * shorter:
            text = f"{count} slices are the same, voxel for voxel; expected two scans"
            findings.append(_pair("same image", text, cases[a].entry, cases[b].entry))
    return findings


def same_labels(cases: Sequence[CaseFacts], known: Iterable[Finding] = ()) -> list[Finding]:
    """Cases whose livers are the same, voxel for voxel, though they are not of one file.

    Args:
        cases: All cases.
        known: Pairs that are named there as the same image are not named again.
    """
    pairs = {finding.cases for finding in known if finding.kind == "same image"}
    owner: dict[str, IndexedCase] = {}
    findings = []
    for case in cases:
        if case.label_digest is None:
            continue
        entry = case.entry
        first = owner.setdefault(case.label_digest, entry)
        one_patient = (first.cohort, first.patient) == (entry.cohort, entry.patient)
        # pictures that were made of a volume of the same patient
        export = one_patient and first.kind != entry.kind
        if first.labels != entry.labels and not export and (first.name, entry.name) not in pairs:
            text = "the livers are the same, voxel for voxel; expected each case's own"
            findings.append(_pair("same label", text, first, entry))
    return findings


def moved_labels(cases: Sequence[CaseFacts]) -> list[Finding]:
    """Cases of one sequence whose label's border lies beside the image's, as no other's does."""
    judged = [case for case in cases if case.offsets]
    strongest: dict[
        str, tuple[float, str]
    ] = {}  # a move along one axis disturbs the others a little
    findings = []
    for axis, (negative, positive) in enumerate(_TOWARDS):
        offsets = [case.offsets[axis] for case in judged]
        for number, voxels in moved_cases(offsets).items():
            towards = (
                f"about {abs(voxels):.1f} voxels towards the {positive if voxels > 0 else negative}"
            )
            name = judged[number].entry.name
            strongest[name] = max(strongest.get(name, (0.0, "")), (abs(voxels), towards))
        common = common_offset(offsets)
        if abs(common) > _COMMON_OFFSET:
            text = (
                f"all labels of {judged[0].entry.sequence} seem shifted: they would fit the images better about "
                f"{abs(common):.1f} voxels towards the {positive if common > 0 else negative}."
            )
            findings.append(Finding("shifted label", "warning", text))
    for name, (_, towards) in strongest.items():
        text = f"the label seems shifted: it would fit the image better {towards}."
        findings.append(Finding("shifted label", "warning", text, (name,)))
    return findings


def _pair(kind: str, text: str, a: IndexedCase, b: IndexedCase) -> Finding:
    """Two patients that are one are an error, two scans of a patient a warning."""
    one_patient = (a.cohort, a.patient) == (b.cohort, b.patient)
    level: Level = "warning" if one_patient else "error"
    whose = "of one patient" if one_patient else f"of patients {a.patient} and {b.patient}"
    return Finding(kind, level, f"{text} {whose}.", (a.name, b.name))
