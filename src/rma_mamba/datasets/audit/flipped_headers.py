"""Scans whose header seems to flip an axis, as judged by the anatomy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rma_mamba.datasets.audit.case_audit import CaseFacts
from rma_mamba.datasets.audit.findings import Finding


def flipped_headers(cases: Sequence[CaseFacts]) -> Iterator[Finding]:
    """A warning for each case whose anatomy contradicts its header."""
    for facts in cases:
        if facts.flipped:
            text = (
                f"the header of the scan seems to flip {' and '.join(facts.flipped)}, or the patient has situs "
                "inversus: view it."
            )
            yield Finding("orientation", "warning", text, (facts.case.name,))
