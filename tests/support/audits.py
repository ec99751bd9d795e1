"""Audits of small datasets."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from rma_mamba.datasets.audit import AuditResult, Judgement, audit
from rma_mamba.datasets.layouts import LayoutOptions, open_dataset
from rma_mamba.volume import Volume


def found(result: AuditResult) -> dict[str, tuple[str, ...]]:
    """The one finding of each kind."""
    kinds = Counter(finding.kind for finding in result.findings)
    assert max(kinds.values(), default=0) <= 1, result.findings
    return {finding.kind: finding.cases for finding in result.findings}


def audited(name: str, root: Path, **options: object) -> AuditResult:
    return audit(open_dataset(name, root, LayoutOptions(**options)))  # type: ignore[arg-type]


def label_of(root: Path, n: int) -> Path:
    return root / "labels" / f"case_{n}.nii.gz"


def bright(volume: Volume) -> Judgement:
    """A judge that finds the bright liver of the test's scans."""
    return Judgement((volume.values > 400).astype(np.uint8))
