"""Counts from names and headers alone."""

from __future__ import annotations

from pathlib import Path

from rma_mamba.datasets.audit import summary_table
from rma_mamba.datasets.layouts import open_dataset


def test_the_summary_is_counted_from_headers(cirrmri: Path) -> None:
    for path in cirrmri.rglob("0007.nii.gz"):  # headers stay readable
        path.write_bytes(path.read_bytes()[:-40])
    (cirrmri / "Cirrhosis_T2_3D/test_images/0008.nii.gz").write_bytes(b"broken")
    shown = summary_table(open_dataset("cirrmri600", cirrmri))
    assert "| T1 | train | 6 | 6 | 60 | 0 |" in shown
    assert "| T2 | val | 1 | 1 | 10 | 0 |" in shown
    assert "| T2 2D | test | 1 | 0 | 10 | 0 |" in shown
    assert "Scans that cannot be read: 1." in shown
