"""Checks of a dataset: what it contains, and which errors in it would invalidate results.

>>> result = audit(open_dataset("lits", "data/lits"))
>>> result.errors
"""

from typing import TYPE_CHECKING

from rma_mamba.datasets.audit.case_audit import Judge, Judgement
from rma_mamba.datasets.audit.dataset_audit import AuditResult, audit
from rma_mamba.datasets.audit.dataset_summary import summary_table
from rma_mamba.datasets.audit.findings import Finding
from rma_mamba.datasets.audit.formatting import to_json, to_markdown
from rma_mamba.datasets.audit.source_audit import (
    data_errors,
    record_data_errors,
    require_sound_data,
)
from rma_mamba.deprecation import renamed_attributes

__all__ = [
    "AuditResult",
    "Finding",
    "Judge",
    "Judgement",
    "audit",
    "data_errors",
    "record_data_errors",
    "require_sound_data",
    "summary_table",
    "to_json",
    "to_markdown",
]

# Hidden from type checkers, which see the new names only.
if not TYPE_CHECKING:
    __getattr__ = renamed_attributes(
        __name__,
        {
            "Report": "AuditResult",
        },
    )
