"""What is in a dataset, and what in it would spoil a result.

>>> report = audit(open_dataset("lits", "data/lits"))
>>> report.errors
"""

from rma_mamba.datasets.audit.audit import Report, audit
from rma_mamba.datasets.audit.findings import Finding
from rma_mamba.datasets.audit.summary import summary_table
from rma_mamba.datasets.audit.tables import to_json, to_markdown

__all__ = ["Finding", "Report", "audit", "summary_table", "to_json", "to_markdown"]
